package grade

// Command: see Kinds.
type Command struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Command) Nodes() []string                                       { return []string{k.Node} }
func (k *Command) Segments() []string                                    { return nil }
func (k *Command) Validate(func(field, fix, format string, args ...any)) {}
func (k *Command) Expect() string                                        { return "" }

// Sysctl: see Kinds.
type Sysctl struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Sysctl) Nodes() []string                                       { return []string{k.Node} }
func (k *Sysctl) Segments() []string                                    { return nil }
func (k *Sysctl) Validate(func(field, fix, format string, args ...any)) {}
func (k *Sysctl) Expect() string                                        { return "" }

// Process: see Kinds.
type Process struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Process) Nodes() []string                                       { return []string{k.Node} }
func (k *Process) Segments() []string                                    { return nil }
func (k *Process) Validate(func(field, fix, format string, args ...any)) {}
func (k *Process) Expect() string                                        { return "" }

// Socket: see Kinds.
type Socket struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Socket) Nodes() []string                                       { return []string{k.Node} }
func (k *Socket) Segments() []string                                    { return nil }
func (k *Socket) Validate(func(field, fix, format string, args ...any)) {}
func (k *Socket) Expect() string                                        { return "" }

// Address: see Kinds.
type Address struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Address) Nodes() []string                                       { return []string{k.Node} }
func (k *Address) Segments() []string                                    { return nil }
func (k *Address) Validate(func(field, fix, format string, args ...any)) {}
func (k *Address) Expect() string                                        { return "" }

// Link: see Kinds.
type Link struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Link) Nodes() []string                                       { return []string{k.Node} }
func (k *Link) Segments() []string                                    { return nil }
func (k *Link) Validate(func(field, fix, format string, args ...any)) {}
func (k *Link) Expect() string                                        { return "" }

// Route: see Kinds.
type Route struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Route) Nodes() []string                                       { return []string{k.Node} }
func (k *Route) Segments() []string                                    { return nil }
func (k *Route) Validate(func(field, fix, format string, args ...any)) {}
func (k *Route) Expect() string                                        { return "" }

// Neighbour: see Kinds.
type Neighbour struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Neighbour) Nodes() []string                                       { return []string{k.Node} }
func (k *Neighbour) Segments() []string                                    { return nil }
func (k *Neighbour) Validate(func(field, fix, format string, args ...any)) {}
func (k *Neighbour) Expect() string                                        { return "" }

// Bridge: see Kinds.
type Bridge struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Bridge) Nodes() []string                                       { return []string{k.Node} }
func (k *Bridge) Segments() []string                                    { return nil }
func (k *Bridge) Validate(func(field, fix, format string, args ...any)) {}
func (k *Bridge) Expect() string                                        { return "" }

// Firewall: see Kinds.
type Firewall struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Firewall) Nodes() []string                                       { return []string{k.Node} }
func (k *Firewall) Segments() []string                                    { return nil }
func (k *Firewall) Validate(func(field, fix, format string, args ...any)) {}
func (k *Firewall) Expect() string                                        { return "" }

// WireGuard: see Kinds.
type WireGuard struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *WireGuard) Nodes() []string                                       { return []string{k.Node} }
func (k *WireGuard) Segments() []string                                    { return nil }
func (k *WireGuard) Validate(func(field, fix, format string, args ...any)) {}
func (k *WireGuard) Expect() string                                        { return "" }

// Names: see Kinds.
type Names struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Names) Nodes() []string                                       { return []string{k.Node} }
func (k *Names) Segments() []string                                    { return nil }
func (k *Names) Validate(func(field, fix, format string, args ...any)) {}
func (k *Names) Expect() string                                        { return "" }

// HTTP: see Kinds.
type HTTP struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *HTTP) Nodes() []string                                       { return []string{k.Node} }
func (k *HTTP) Segments() []string                                    { return nil }
func (k *HTTP) Validate(func(field, fix, format string, args ...any)) {}
func (k *HTTP) Expect() string                                        { return "" }

// Reach: see Kinds.
type Reach struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Reach) Nodes() []string                                       { return []string{k.Node} }
func (k *Reach) Segments() []string                                    { return nil }
func (k *Reach) Validate(func(field, fix, format string, args ...any)) {}
func (k *Reach) Expect() string                                        { return "" }
