package grade

// File: see Kinds.
type File struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *File) Nodes() []string                                       { return []string{k.Node} }
func (k *File) Segments() []string                                    { return nil }
func (k *File) Validate(func(field, fix, format string, args ...any)) {}
func (k *File) Expect() string                                        { return "" }

// Declared: see Kinds.
type Declared struct {
	Node string `json:"node" yaml:"node" doc:"The node."`
}

func (k *Declared) Nodes() []string                                       { return []string{k.Node} }
func (k *Declared) Segments() []string                                    { return nil }
func (k *Declared) Validate(func(field, fix, format string, args ...any)) {}
func (k *Declared) Expect() string                                        { return "" }
