package rack

// Ring is the console's memory, for tests outside.
type Ring = ring

func NewRing(limit int) *Ring                 { return &ring{limit: limit} }
func (r *ring) Write(p []byte)                { r.write(p) }
func (r *ring) Head() int64                   { return r.head }
func (r *ring) Tail() int64                   { return r.tail() }
func (r *ring) Read(from int64, p []byte) int { return r.read(from, p) }
func (r *ring) Last(n int) []byte             { return r.last(n) }
func (r *ring) LineAfter(from int64) int64    { return r.lineAfter(from) }
func (r *ring) Clear()                        { r.clear() }
func (r *ring) Size() int                     { return len(r.buf) }

const (
	RingSize     = ringSize
	ConsoleLines = consoleLines
	HeaderLen    = headerLen
	MaxQueue     = maxQueue
)

// CheckClientMessage decodes a message as a connection does.
func CheckClientMessage(binary bool, p []byte) error {
	if binary {
		_, err := parseFrame(p)
		return err
	}
	_, err := parseClient(p)
	return err
}

// AppendFrame encodes a binary message.
func AppendFrame(kind byte, channel uint16, position int64, data []byte) []byte {
	return appendFrame(nil, kind, channel, position, data)
}

// ParseFrame decodes one.
func ParseFrame(p []byte) (kind byte, channel uint16, position int64, data []byte, err error) {
	f, err := parseFrame(p)
	return f.kind, f.channel, f.position, f.data, err
}

// Explain puts an error of a real guest's start into a sentence.
func Explain(err error) error { return explain(err) }

// AllowedCPUs lists the CPUs that this process may use.
var AllowedCPUs = allowedCPUs
