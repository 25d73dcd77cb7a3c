package uplink

import (
	"context"
	"net/netip"
	"time"
)

// For tests: the decisions alone, without a router around them.

// Policy is what a Router decides by.
type Policy struct{ p policy }

func NewPolicy(rules []Rule, near []netip.Prefix) *Policy { return &Policy{policy{rules, near}} }

func (p *Policy) Allows(proto Protocol, addr string, port uint16, names ...string) bool {
	return p.p.allows(destination{proto, netip.MustParseAddr(addr), port, names})
}
func (p *Policy) Asks(name string) bool { return p.p.asks(name) }
func (p *Policy) Answers(name, addr string) bool {
	return p.p.answers(name, netip.MustParseAddr(addr))
}

// AnswerDNS is what the router says to a question.
func (r *Router) AnswerDNS(ctx context.Context, question []byte) []byte {
	return r.answerDNS(ctx, question)
}

// MaxAnswers is maxAnswers.
const MaxAnswers = maxAnswers

// Answers is answers.
type Answers struct{ a *answers }

func NewAnswers() Answers { return Answers{newAnswers()} }
func (a Answers) Add(name string, addrs []netip.Addr, now time.Time) {
	a.a.add(name, addrs, now)
}
func (a Answers) Names(addr netip.Addr, now time.Time) []string { return a.a.names(addr, now) }
func (a Answers) Len() int                                      { return a.a.count }
