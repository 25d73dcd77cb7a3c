package rack

// The stream is a websocket. Text messages are JSON, one object each, with its
// kind in "t"; binary messages carry terminal bytes. All integers in binary
// messages are big-endian.
//
// Binary, rack → client:
//
//	0x01 output    | channel u16 | offset u64 | bytes     offset of the first byte in the console's history
//	0x04 input ack | channel u16 | position u64           input taken up to here; the client may forget it
//
// Binary, client → rack:
//
//	0x02 input     | channel u16 | position u64 | bytes   position of the first byte in what this session typed here
//	0x03 ack       | channel u16 | offset u64             output shown up to here
//
// A channel is a client's number for a console that it has attached. Offsets
// count a console's output bytes since its epoch began; a reset starts a new
// epoch at 0. The rack sends at most Window bytes beyond the last ack of a
// channel. With no ack it pauses that channel, not the others; while at least
// one channel of a console is open the console is read no faster than its
// fastest channel acknowledges, so that `yes` waits in the guest. Input
// positions count the bytes that one session (?session=, chosen by the client,
// 16 to 64 characters) typed at a console: what arrives twice after a
// reconnection is dropped, what arrived is acknowledged.
//
// Window is how many bytes of output may be unacknowledged on one channel.
const Window = 128 << 10

// Binary message kinds.
const (
	MsgOutput   = 0x01
	MsgInput    = 0x02
	MsgAck      = 0x03
	MsgInputAck = 0x04
)

// ClientMessage is a text message from a client.
//
//	{"t":"attach","id":1,"node":"pc1","console":0,"channel":7,"epoch":1,"from":1234,"cols":80,"rows":24}
//	    from the offset in that epoch; from -1, or an epoch that has passed, means all that is kept.
//	    cols/rows 0 leave the size alone.
//	{"t":"detach","channel":7}
//	{"t":"resize","channel":7,"cols":120,"rows":30}
//	{"t":"do","id":2,"op":{"do":"restart","node":"pc1"}}
type ClientMessage struct {
	T       string `json:"t"`
	ID      int64  `json:"id,omitempty"`
	Node    string `json:"node,omitempty"`
	Console int    `json:"console,omitempty"`
	Channel uint16 `json:"channel,omitempty"`
	Epoch   int64  `json:"epoch,omitempty"`
	From    int64  `json:"from,omitempty"`
	Cols    uint16 `json:"cols,omitempty"`
	Rows    uint16 `json:"rows,omitempty"`
	Op      *Op    `json:"op,omitempty"`
}

// ServerMessage is a text message from a rack.
//
//	{"t":"state","state":{…}}                  at once after connecting, then on change
//	{"t":"attached","id":1,"channel":7,"epoch":1,"offset":1000,"head":5000,"input":17,"gap":true}
//	    output follows from offset; gap says that bytes between from and offset are lost;
//	    input is how much of this session's input the rack has.
//	{"t":"epoch","channel":7,"epoch":2}        the console was reset: clear the screen, offsets restart at 0
//	{"t":"gap","channel":7,"offset":9000}      the channel fell behind the ring: clear the screen, output goes on from offset
//	{"t":"size","channel":7,"cols":80,"rows":24}  another client set the console's size
//	{"t":"done","id":2,"error":"…"}            answer to do, and to an attach that failed; no error means it was done
type ServerMessage struct {
	T       string `json:"t"`
	ID      int64  `json:"id,omitempty"`
	State   *State `json:"state,omitempty"`
	Channel uint16 `json:"channel,omitempty"`
	Epoch   int64  `json:"epoch,omitempty"`
	Offset  int64  `json:"offset"`
	Head    int64  `json:"head,omitempty"`
	Input   int64  `json:"input,omitempty"`
	Gap     bool   `json:"gap,omitempty"`
	Cols    uint16 `json:"cols,omitempty"`
	Rows    uint16 `json:"rows,omitempty"`
	Error   string `json:"error,omitempty"`
}
