package agent

import (
	"bytes"
	"io"
)

// What the tests need of the inside.

type Kind = kind

const (
	KindHello   = kindHello
	KindFailed  = kindFailed
	KindPing    = kindPing
	KindDone    = kindDone
	KindOutput  = kindOutput
	KindData    = kindData
	KindEvent   = kindEvent
	KindCredit  = kindCredit
	KindExec    = kindExec
	KindGet     = kindGet
	KindSync    = kindSync
	KindMachine = kindMachine
	KindLook    = kindLook
	KindEntry   = kindEntry
	KindFlush   = kindFlush

	KindConnect = kindConnect
	KindOpened  = kindOpened
	KindBytes   = kindBytes
	KindTaken   = kindTaken
	KindKill    = kindKill
	KindError   = kindError

	WindowToHost  = windowToHost
	WindowToGuest = windowToGuest
	MaxStreams    = maxStreams

	HeaderSize = headerSize
	LineWindow = lineWindow
)

// Frame is a frame that a test may keep.
type Frame struct {
	Kind Kind
	More bool
	ID   uint32
	Body []byte
}

func AppendFrame(dst []byte, f Frame) []byte {
	return appendFrame(dst, frame{kind: f.Kind, more: f.More, id: f.ID, body: f.Body})
}

// FrameReader is the reader under test.
type FrameReader struct{ fr frameReader }

func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{frameReader{src: r}} }

func (r *FrameReader) Next() (Frame, error) {
	f, err := r.fr.next()
	return Frame{f.kind, f.more, f.id, bytes.Clone(f.body)}, err
}

func (r *FrameReader) Buffered() int  { return len(r.fr.buf) }
func (r *FrameReader) Skipped() int64 { return r.fr.skipped }

// Codecs decodes a body and encodes the result again, by message.
var Codecs = map[string]func([]byte) (any, []byte, error){
	"hello":   codec(decodeHello, Hello.append),
	"machine": codec(decodeMachine, Machine.append),
	"ready":   codec(decodeReady, Ready.append),
	"event":   codec(decodeEvent, Event.append),
	"exec":    codec(decodeExec, Exec.append),
	"exit":    codec(decodeExit, exit.append),
	"put":     codec(decodePut, putRequest.append),
	"get":     codec(decodeGet, getRequest.append),
	"window":  codec(decodeWindow, window.append),
	"look":    codec(decodeLook, lookRequest.append),
	"entry":   codec(decodeEntry, Entry.append),
}

func codec[T any](decode func([]byte) (T, error), encode func(T, []byte) []byte) func([]byte) (any, []byte, error) {
	return func(b []byte) (any, []byte, error) {
		v, err := decode(b)
		if err != nil {
			return nil, nil, err
		}
		return v, encode(v, nil), nil
	}
}

// Encode is a message's body.
func Encode(v any) []byte {
	switch v := v.(type) {
	case Hello:
		return v.append(nil)
	case Machine:
		return v.append(nil)
	case Ready:
		return v.append(nil)
	case Event:
		return v.append(nil)
	case Exec:
		return v.append(nil)
	case Entry:
		return v.append(nil)
	}
	panic("no such message")
}

var (
	Exit   = func(code uint32, cut bool) []byte { return exit{code: code, cut: cut}.append(nil) }
	Window = func(n uint8, cols, rows uint16) []byte { return window{n, cols, rows}.append(nil) }
	Put    = func(path string, mode uint32) []byte { return putRequest{path, mode}.append(nil) }
	Get    = func(path string, limit uint32) []byte { return getRequest{path, limit}.append(nil) }
	Look   = func(path string, limit uint32) []byte { return lookRequest{path, limit}.append(nil) }
	Clean  = clean
)
