package grade

// OSPF: see Kinds.
type OSPF struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *OSPF) Nodes() []string                                       { return []string{k.Node} }
func (k *OSPF) Segments() []string                                    { return nil }
func (k *OSPF) Validate(func(field, fix, format string, args ...any)) {}
func (k *OSPF) Expect() string                                        { return "" }

// BGP: see Kinds.
type BGP struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *BGP) Nodes() []string                                       { return []string{k.Node} }
func (k *BGP) Segments() []string                                    { return nil }
func (k *BGP) Validate(func(field, fix, format string, args ...any)) {}
func (k *BGP) Expect() string                                        { return "" }

// RIP: see Kinds.
type RIP struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *RIP) Nodes() []string                                       { return []string{k.Node} }
func (k *RIP) Segments() []string                                    { return nil }
func (k *RIP) Validate(func(field, fix, format string, args ...any)) {}
func (k *RIP) Expect() string                                        { return "" }

// ISIS: see Kinds.
type ISIS struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *ISIS) Nodes() []string                                       { return []string{k.Node} }
func (k *ISIS) Segments() []string                                    { return nil }
func (k *ISIS) Validate(func(field, fix, format string, args ...any)) {}
func (k *ISIS) Expect() string                                        { return "" }

// FRR: see Kinds.
type FRR struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *FRR) Nodes() []string                                       { return []string{k.Node} }
func (k *FRR) Segments() []string                                    { return nil }
func (k *FRR) Validate(func(field, fix, format string, args ...any)) {}
func (k *FRR) Expect() string                                        { return "" }
