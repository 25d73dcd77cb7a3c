package uplink

import (
	"context"
	"net/netip"
	"time"
)

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
