package agent

import (
	"encoding/binary"
	"time"
)

// Version of the protocol. Host and guestd are built together, so a difference
// means a stale initrd and is an error, not something to negotiate.
const Version = 3

type kind uint8

// The kinds of frame. A request's answers carry its id.
const (
	_ kind = iota

	// guest → host, unasked
	kindHello  // Hello; the first frame
	kindEvent  // Event
	kindFailed // a sentence; also the answer to machine
	kindCredit // u64: how many bytes guestd has read, see pacer

	// host → guest
	kindMachine  // Machine, cut into frames → ready or failed
	kindExec     // Exec; with more, data frames with its standard input follow → output…, exit
	kindKill     // ends the exec of that id → nothing of its own
	kindPut      // putRequest, then data frames → done
	kindGet      // getRequest → info, data…, done
	kindConsole  // u8 number → done
	kindResize   // u8 number, u16 columns, u16 rows → done
	kindShutdown // bool reboot → done, and then the guest ends
	kindPing     // → done
	kindSync     // u64: how many bytes the host has sent → credit

	// answers
	kindReady  // Ready
	kindOutput // u8 stream, bytes
	kindExit   // u32 code, bool cut, text doubt
	kindInfo   // u32 mode
	kindDone   // nothing
	kindError  // a sentence

	// both ways
	kindData // bytes

	// Connections into the guest, see Stream; more is set on all but the last
	// bytes of a direction.
	kindConnect // host → guest: u16 port → opened, bytes…, done
	kindOpened  // guest → host: nothing
	kindBytes   // both ways: u32 how many came before them, modulo 2^32, bytes
	kindTaken   // both ways: u64 how many the other end has taken so far

	// A disk, see Machine.Inspect.
	kindLook  // host → guest: lookRequest → entry…
	kindEntry // guest → host: an Entry, cut into frames
	kindFlush // host → guest: what programs have written shall be on the disk → done
)

// Limits on what one message may hold, in bytes.
const (
	MaxMachine = 16 << 20 // an encoded Machine with its files
	MaxStdin   = 1 << 20  // of an Exec
	MaxFile    = 64 << 20 // one Put or Get
	maxText    = 4 << 10  // a sentence from the guest; the rest is cut
	maxArgs    = 48 << 10 // an Exec's words, within one frame
)

// Hello is guestd's first word.
type Hello struct {
	Version uint16
	Kernel  string // release, as uname -r
}

func (h Hello) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, h.Version)
	return appendString(b, h.Kernel)
}

func decodeHello(b []byte) (Hello, error) {
	d := decoder{b: b}
	h := Hello{Version: d.u16(), Kernel: d.string()}
	if len(h.Kernel) > 256 {
		d.bad = true
	}
	return h, d.end()
}

// Ready says that a guest is what its Machine asked for.
type Ready struct {
	Times       Times
	Warnings    []string // what did not work and is no reason to fail; a sentence each
	StartupDone bool     // false: startup commands still run, an Event will tell
}

// Times of a boot, each since the guest's kernel began to keep time (a few
// milliseconds after exec).
type Times struct {
	Start   time.Duration // guestd runs
	Hello   time.Duration // it has said so
	Told    time.Duration // the Machine has arrived
	Mounted time.Duration // the new root is in place
	Network time.Duration // host name and interfaces are set
	Shell   time.Duration // the first console's shell has been started
	Ready   time.Duration // this message is sent
}

func (t *Times) all() [7]*time.Duration {
	return [...]*time.Duration{&t.Start, &t.Hello, &t.Told, &t.Mounted, &t.Network, &t.Shell, &t.Ready}
}

func (r Ready) append(b []byte) []byte {
	for _, t := range r.Times.all() {
		b = binary.BigEndian.AppendUint64(b, uint64(*t))
	}
	b = appendStrings(b, r.Warnings)
	return appendBool(b, r.StartupDone)
}

func decodeReady(b []byte) (Ready, error) {
	d := decoder{b: b}
	var r Ready
	for _, t := range r.Times.all() {
		*t = time.Duration(d.u64())
	}
	r.Warnings = d.strings()
	r.StartupDone = d.bool()
	return r, d.end()
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of Event.
const (
	EventStarted    EventKind = 1 // startup commands and enabled services have run; Text names those that failed
	EventRebooting  EventKind = 2 // someone in the guest asked for a reboot; its process ends next
	EventPoweredOff EventKind = 3 // someone in the guest asked for a power-off; its process ends next
	EventWarning    EventKind = 4 // Text is a sentence for whoever looks after the node
)

// Event is something that guestd tells unasked.
type Event struct {
	Kind EventKind
	Text string
}

func (e Event) append(b []byte) []byte {
	b = append(b, byte(e.Kind))
	return appendString(b, e.Text)
}

func decodeEvent(b []byte) (Event, error) {
	d := decoder{b: b}
	e := Event{Kind: EventKind(d.u8()), Text: d.string()}
	return e, d.end()
}

// Exec is a program to run in the guest, as root, in a session of its own and
// without a terminal.
type Exec struct {
	Args    []string      // Args[0] is looked for in PATH
	Env     []string      // KEY=value, on top of guestd's own; PATH, HOME and TERM are given
	Dir     string        // empty means /root, or / where that is gone
	Stdin   []byte        // at most MaxStdin bytes
	Limit   int           // bytes of output kept of each stream; 0 means 1 MiB
	Timeout time.Duration // after it the guest kills the program; 0 means never. A context's deadline lowers it

	// Pristine runs it where nothing that was changed in the guest's file
	// system is in the way: the image alone, read-only, with /proc, /sys, /dev
	// and /tmp of its own, the guest's /run, and the guest's root, read-only,
	// at /student. Dir is / when nothing is said, and only Env is added to an
	// environment of guestd's own. Network, processes and kernel are the
	// guest's.
	Pristine bool
	Peers    []Peer // looked at before a Pristine program is run
}

// Peer is a socket that a Pristine program will speak to. When the image's own
// Program does not listen there, the result has a Doubt.
type Peer struct {
	Socket  string // a path below /run
	Program string // a path in the image
}

// ExecResult of an Exec.
type ExecResult struct {
	Code   int // 128+n for signal n
	Stdout []byte
	Stderr []byte
	Cut    bool // there was more output than the limit
	// Doubt says what spoke against the answer of a Pristine program: that it
	// was killed, traced or stopped, or that a Peer is not what it should be.
	// That it is empty proves nothing: root of a guest is master of its kernel.
	Doubt string
}

func (e Exec) append(b []byte) []byte {
	b = appendStrings(b, e.Args)
	b = appendStrings(b, e.Env)
	b = appendString(b, e.Dir)
	b = binary.BigEndian.AppendUint32(b, uint32(e.Limit))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Timeout))
	b = appendBool(b, e.Pristine)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Peers)))
	for _, p := range e.Peers {
		b = appendString(b, p.Socket)
		b = appendString(b, p.Program)
	}
	return b
}

func decodeExec(b []byte) (Exec, error) {
	d := decoder{b: b}
	e := Exec{Args: d.strings(), Env: d.strings(), Dir: d.string(), Limit: int(d.u32()), Timeout: time.Duration(d.u64())}
	e.Pristine = d.bool()
	if n := d.count(8); n > 0 {
		e.Peers = make([]Peer, n)
	}
	for i := range e.Peers {
		e.Peers[i] = Peer{Socket: d.string(), Program: d.string()}
	}
	if len(e.Args) == 0 || e.Timeout < 0 {
		d.bad = true
	}
	return e, d.end()
}

// exit is the end of an Exec.
type exit struct {
	code  uint32
	cut   bool
	doubt string
}

func (e exit) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, e.code)
	b = appendBool(b, e.cut)
	return appendString(b, e.doubt)
}

func decodeExit(b []byte) (exit, error) {
	d := decoder{b: b}
	e := exit{code: d.u32(), cut: d.bool(), doubt: d.string()}
	if e.code > 255 {
		d.bad = true
	}
	return e, d.end()
}

type putRequest struct {
	path string
	mode uint32
}

func (p putRequest) append(b []byte) []byte {
	b = appendString(b, p.path)
	return binary.BigEndian.AppendUint32(b, p.mode)
}

func decodePut(b []byte) (putRequest, error) {
	d := decoder{b: b}
	p := putRequest{path: d.string(), mode: d.u32()}
	return p, d.end()
}

type getRequest struct {
	path  string
	limit uint32
}

func (g getRequest) append(b []byte) []byte {
	b = appendString(b, g.path)
	return binary.BigEndian.AppendUint32(b, g.limit)
}

func decodeGet(b []byte) (getRequest, error) {
	d := decoder{b: b}
	g := getRequest{path: d.string(), limit: d.u32()}
	return g, d.end()
}

// window is a console and its size.
type window struct {
	console    uint8
	cols, rows uint16
}

func (w window) append(b []byte) []byte {
	b = append(b, w.console)
	b = binary.BigEndian.AppendUint16(b, w.cols)
	return binary.BigEndian.AppendUint16(b, w.rows)
}

func decodeWindow(b []byte) (window, error) {
	d := decoder{b: b}
	w := window{console: d.u8(), cols: d.u16(), rows: d.u16()}
	return w, d.end()
}
