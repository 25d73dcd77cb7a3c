package filter

import "errors"

const (
	// MaxLength is how long an expression may be, in bytes: tcpdump's users
	// rarely write more than 200.
	MaxLength = 4096
	// maxDepth is how deep parentheses and negations may be nested.
	maxDepth = 64
)

// Filter is a compiled expression. Its methods may be called from any number
// of goroutines.
type Filter struct {
	expr  string
	nodes []node
	root  int32 // -1: matches all
}

// Compile reads an expression; an empty one matches every frame. An error says
// where in the expression what is wrong, for the one who wrote it.
func Compile(expr string) (*Filter, error) {
	if len(expr) > MaxLength {
		return nil, errors.New("the filter is longer than 4096 characters")
	}
	p := parser{lexer: lexer{src: expr}}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Filter{expr: expr, nodes: p.nodes, root: root}, nil
}

// String returns the expression as it was given; a nil Filter's is empty.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.expr
}

// Match says whether a frame, from its Ethernet header on, matches. A nil
// Filter matches all; what is shorter than an Ethernet header is matched by
// nothing but an empty filter. It does not allocate.
func (f *Filter) Match(frame []byte) bool {
	if f == nil || f.root < 0 {
		return true
	}
	if len(frame) < 14 {
		return false
	}
	v := newView(frame)
	return f.test(f.root, &v) && !v.short
}
