package grade

// Frames: see Kinds.
type Frames struct {
	At `yaml:",inline"`
}

func (k *Frames) Nodes() []string                                       { return nil }
func (k *Frames) Segments() []string                                    { return []string{k.Segment} }
func (k *Frames) Validate(func(field, fix, format string, args ...any)) {}
func (k *Frames) Expect() string                                        { return "" }

// Answers: see Kinds.
type Answers struct {
	At `yaml:",inline"`
}

func (k *Answers) Nodes() []string                                       { return nil }
func (k *Answers) Segments() []string                                    { return []string{k.Segment} }
func (k *Answers) Validate(func(field, fix, format string, args ...any)) {}
func (k *Answers) Expect() string                                        { return "" }

// Ping: see Kinds.
type Ping struct {
	At `yaml:",inline"`
}

func (k *Ping) Nodes() []string                                       { return nil }
func (k *Ping) Segments() []string                                    { return []string{k.Segment} }
func (k *Ping) Validate(func(field, fix, format string, args ...any)) {}
func (k *Ping) Expect() string                                        { return "" }

// Trace: see Kinds.
type Trace struct {
	At `yaml:",inline"`
}

func (k *Trace) Nodes() []string                                       { return nil }
func (k *Trace) Segments() []string                                    { return []string{k.Segment} }
func (k *Trace) Validate(func(field, fix, format string, args ...any)) {}
func (k *Trace) Expect() string                                        { return "" }

// Connect: see Kinds.
type Connect struct {
	At `yaml:",inline"`
}

func (k *Connect) Nodes() []string                                       { return nil }
func (k *Connect) Segments() []string                                    { return []string{k.Segment} }
func (k *Connect) Validate(func(field, fix, format string, args ...any)) {}
func (k *Connect) Expect() string                                        { return "" }

// Resolve: see Kinds.
type Resolve struct {
	At `yaml:",inline"`
}

func (k *Resolve) Nodes() []string                                       { return nil }
func (k *Resolve) Segments() []string                                    { return []string{k.Segment} }
func (k *Resolve) Validate(func(field, fix, format string, args ...any)) {}
func (k *Resolve) Expect() string                                        { return "" }

// Fetch: see Kinds.
type Fetch struct {
	At `yaml:",inline"`
}

func (k *Fetch) Nodes() []string                                       { return nil }
func (k *Fetch) Segments() []string                                    { return []string{k.Segment} }
func (k *Fetch) Validate(func(field, fix, format string, args ...any)) {}
func (k *Fetch) Expect() string                                        { return "" }

// DHCP: see Kinds.
type DHCP struct {
	At `yaml:",inline"`
}

func (k *DHCP) Nodes() []string                                       { return nil }
func (k *DHCP) Segments() []string                                    { return []string{k.Segment} }
func (k *DHCP) Validate(func(field, fix, format string, args ...any)) {}
func (k *DHCP) Expect() string                                        { return "" }
