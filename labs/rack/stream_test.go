package rack_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs/rack"
)

// wire is a stream spoken by hand, for what the Go client never does.
type wire struct {
	*websocket.Conn
	t *testing.T
}

func dialWire(t *testing.T, dir, session string, role rack.Role) *wire {
	t.Helper()
	ws, err := rack.DialStream(t.Context(), dir, session, role)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return &wire{ws, t}
}

func (w *wire) text(m rack.ClientMessage) {
	w.t.Helper()
	if err := w.WriteJSON(m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) binary(kind byte, channel uint16, position int64, data string) {
	w.t.Helper()
	if err := w.WriteMessage(websocket.BinaryMessage, rack.AppendFrame(kind, channel, position, []byte(data))); err != nil {
		w.t.Fatal(err)
	}
}

// event is a message of either kind.
type event struct {
	rack.ServerMessage
	kind     byte
	position int64
	data     []byte
}

// next returns the next message that is no state.
func (w *wire) next() event {
	w.t.Helper()
	for {
		w.SetReadDeadline(time.Now().Add(20 * time.Second))
		kind, data, err := w.ReadMessage()
		if err != nil {
			w.t.Fatalf("reading the stream: %v", err)
		}
		var e event
		if kind == websocket.BinaryMessage {
			e.kind, e.Channel, e.position, e.data, err = rack.ParseFrame(data)
		} else {
			err = json.Unmarshal(data, &e.ServerMessage)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if e.T != "state" {
			return e
		}
	}
}

// attach opens a console and returns the answer.
func (w *wire) attach(m rack.ClientMessage) event {
	w.t.Helper()
	m.T = "attach"
	w.text(m)
	e := w.next()
	for e.kind != 0 && e.Channel != m.Channel {
		e = w.next()
	}
	if e.T != "attached" || e.Channel != m.Channel || e.ID != m.ID {
		w.t.Fatalf("attaching: %+v", e)
	}
	return e
}

// output collects a channel's output, acknowledging it, until what has come
// contains text. It checks that offsets have no holes.
func (w *wire) output(channel uint16, at *int64, text string) string {
	w.t.Helper()
	var got []byte
	for !bytes.Contains(got, []byte(text)) {
		e := w.next()
		if e.kind != rack.MsgOutput || e.Channel != channel {
			continue
		}
		if e.position != *at {
			w.t.Fatalf("output from %d, want it from %d", e.position, *at)
		}
		got, *at = append(got, e.data...), *at+int64(len(e.data))
		w.binary(rack.MsgAck, e.Channel, *at, "")
	}
	return string(got)
}

func runningRack(t *testing.T, w *world) *bench {
	t.Helper()
	b := serve(t, twoHosts(), w)
	until(t, b.stream(t, rack.Owner), "all run", nodesAre(rack.Running, "pc1", "pc2"))
	return b
}

func TestYesIsHeldBackAndCtrlCReachesIt(t *testing.T) {
	b := runningRack(t, newWorld())
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	at := w.attach(rack.ClientMessage{Node: "pc1", Channel: 3, From: -1}).Offset
	w.output(3, &at, "pc1/0# ")
	w.binary(rack.MsgInput, 3, 0, "yes\r")

	// Unacknowledged, it gets one window and no more.
	stop := at + rack.Window
	for head := at; head < stop; {
		if e := w.next(); e.kind == rack.MsgOutput {
			head = e.position + int64(len(e.data))
			if head > stop {
				t.Fatalf("%d bytes beyond the window", head-stop)
			}
		}
	}
	// The console next to it is not disturbed, on the same stream.
	w.text(rack.ClientMessage{T: "attach", Node: "pc2", Channel: 4, From: -1})
	w.binary(rack.MsgInput, 4, 0, "hello\r")
	for got := ""; !strings.Contains(got, "hello\r\n"); {
		e := w.next()
		if e.kind == rack.MsgOutput && e.Channel == 3 {
			t.Fatal("more came on the channel that acknowledges nothing")
		}
		if e.kind == rack.MsgOutput {
			got += string(e.data)
		}
	}
	// Ctrl-C ends it: behind the window there is only what pipes and sockets
	// hold, not what yes could have written meanwhile.
	w.binary(rack.MsgInput, 3, 4, "\x03")
	w.binary(rack.MsgAck, 3, stop, "")
	at = stop
	w.output(3, &at, "^C\r\n")
	if beyond := at - stop; beyond > rack.Window+1<<20 {
		t.Errorf("%d bytes came after Ctrl-C", beyond)
	}
}

func TestAStalledViewerSlowsNobody(t *testing.T) {
	b := runningRack(t, newWorld())
	stalled := dialWire(t, b.dir, rand.Text(), rack.Viewer)
	start := stalled.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1})

	sc := attach(t, b.stream(t, rack.Owner), rack.AttachOptions{Node: "pc1"})
	sc.types(t, "yes\r")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const much = 20 << 20
	for last := int64(0); sc.read() < much; {
		sc.mu.Lock()
		sc.text.Reset()
		sc.mu.Unlock()
		select {
		case <-sc.news:
		case <-time.After(20 * time.Second):
			t.Fatalf("no output any more after %d bytes", last)
		}
		last = sc.read()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d MiB of output for one viewer left %d KiB behind for the other", much>>20, grown>>10)
	}
	sc.types(t, "\x03")
	sc.shows(t, "^C\r\n")

	// The stalled one has its window, is told that it missed some, and then
	// gets the end.
	at := start.Offset
	for at < start.Offset+rack.Window {
		e := stalled.next()
		if e.kind != rack.MsgOutput || e.position != at {
			t.Fatalf("got %+v at %d", e.ServerMessage, at)
		}
		at += int64(len(e.data))
	}
	stalled.binary(rack.MsgAck, 1, at, "")
	e := stalled.next()
	if e.T != "gap" || e.Offset <= at {
		t.Fatalf("instead of a gap: %+v %#x", e.ServerMessage, e.kind)
	}
	at = e.Offset
	stalled.output(1, &at, "^C\r\n")
}

func TestNobodyLooks(t *testing.T) {
	b := runningRack(t, newWorld())
	s := b.stream(t, rack.Owner)
	sc := attach(t, s, rack.AttachOptions{Node: "pc1"})
	sc.types(t, "yes\r")
	sc.shows(t, "000000001000\n")
	epoch, from := sc.Position()
	sc.Close()
	time.Sleep(300 * time.Millisecond) // of the limited rate
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	e := w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, Epoch: epoch, From: from})
	if e.Head <= from {
		t.Error("the console stands still while nobody looks")
	}
	// 1 MB/s, one burst, and what the terminal had taken on its own.
	if e.Head > from+8<<20 {
		t.Errorf("%d bytes were read while nobody looked", e.Head-from)
	}
	w.binary(rack.MsgInput, 1, 0, "\x03")
	at := e.Offset
	w.output(1, &at, "^C\r\n")
}

func TestReattach(t *testing.T) {
	b := runningRack(t, newWorld())
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	first := w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1})
	at := first.Offset
	w.binary(rack.MsgInput, 1, 0, "one\rtwo\r")
	seen := w.output(1, &at, "two\r\n")
	mid := first.Offset + int64(strings.Index(seen, "two\r\n"))
	tests := []struct {
		name        string
		epoch, from int64
		want        int64
		gap         bool
	}{
		{"from where it was", first.Epoch, mid, mid, false},
		{"all", first.Epoch, -1, 0, false},
		{"an old epoch", first.Epoch - 1, 5, 0, true},
		{"no epoch", 0, -1, 0, false},
		{"the future", first.Epoch, at + 1000, 0, true},
	}
	for i, tt := range tests {
		e := w.attach(rack.ClientMessage{ID: int64(i), Node: "pc1", Channel: uint16(10 + i), Epoch: tt.epoch, From: tt.from})
		if e.Offset != tt.want || e.Gap != tt.gap || e.Epoch != first.Epoch {
			t.Errorf("%s: %+v, want offset %d, gap %v", tt.name, e.ServerMessage, tt.want, tt.gap)
		}
		again := e.Offset
		if got := w.output(uint16(10+i), &again, "two\r\n"); tt.from == mid && !strings.HasPrefix(got, "two\r\n") {
			t.Errorf("%s: %q after %q", tt.name, got, seen)
		}
		w.text(rack.ClientMessage{T: "detach", Channel: uint16(10 + i)})
	}
}

func TestTypedOnce(t *testing.T) {
	wd := newWorld()
	b := runningRack(t, wd)
	session := rand.Text()
	keys := strings.Repeat("0123456789abcdef", 256)
	pos := 0
	for round := range 8 { // connections that break before the ack
		w := dialWire(t, b.dir, session, rack.Owner)
		e := w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1})
		if int(e.Input) > len(keys) || int(e.Input) < pos {
			t.Fatalf("round %d: the rack has %d of what was typed to %d", round, e.Input, pos)
		}
		from := max(0, int(e.Input)-100) // as if the ack had not come
		end := min(len(keys), from+700)
		w.binary(rack.MsgInput, 1, int64(from), keys[from:end])
		for got := int64(0); got < int64(end); {
			if e := w.next(); e.kind == rack.MsgInputAck {
				got = e.position
			} else if e.kind == rack.MsgOutput {
				w.binary(rack.MsgAck, 1, e.position+int64(len(e.data)), "")
			}
		}
		pos = end
		w.Close()
	}
	other := dialWire(t, b.dir, rand.Text(), rack.Owner)
	if e := other.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1}); e.Input != 0 {
		t.Errorf("another session begins at %d", e.Input)
	}
	eventually(t, wd, func() bool { return wd.typed["pc1/0"].Len() >= pos })
	wd.mu.Lock()
	defer wd.mu.Unlock()
	if got := wd.typed["pc1/0"].String(); got != keys[:pos] {
		t.Errorf("the guest got %d bytes, typed were %d; or they differ", len(got), pos)
	}
}

func TestInputToADeafConsole(t *testing.T) {
	wd := newWorld()
	wd.deaf = true
	b := runningRack(t, wd)
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1})
	paste := strings.Repeat("x", 32<<10)
	for pos := int64(0); pos < 4*rack.InputWindow; pos += int64(len(paste)) {
		if w.WriteMessage(websocket.BinaryMessage, rack.AppendFrame(rack.MsgInput, 1, pos, []byte(paste))) != nil {
			break
		}
	}
	for {
		_, _, err := w.ReadMessage()
		if err == nil {
			continue
		}
		if !websocket.IsCloseError(err, websocket.CloseTryAgainLater) {
			t.Errorf("a flood of input ended with: %v", err)
		}
		break
	}
	// The node is none the worse for it.
	if err := b.client.Do(t.Context(), rack.Op{Do: "restart", Node: "pc1"}); err != nil {
		t.Error(err)
	}
}

// Keys wait for a console that does not take them, and take little room.
func TestKeysToADeafConsole(t *testing.T) {
	wd := newWorld()
	wd.deaf = true
	b := runningRack(t, wd)
	type typist struct {
		*wire
		pos int64
	}
	sit := func() *typist {
		w := &typist{wire: dialWire(t, b.dir, rand.Text(), rack.Owner)}
		w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1})
		return w
	}
	types := func(w *typist, data string) error {
		err := w.WriteMessage(websocket.BinaryMessage, rack.AppendFrame(rack.MsgInput, 1, w.pos, []byte(data)))
		w.pos += int64(len(data))
		return err
	}
	ann, bob := sit(), sit()
	for range 16 { // fill the socket
		if err := types(ann, strings.Repeat("x", 32<<10)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * rack.MaxQueue {
		if err := types(ann, "y"); err != nil {
			t.Fatal(err)
		}
	}
	ann.text(rack.ClientMessage{T: "do", ID: 9, Op: &rack.Op{Do: "nothing"}})
	for ann.next().ID != 9 { // it would have ended
	}
	// Two who type in turns have a limit of their own.
	for types(ann, "a") == nil && types(bob, "b") == nil {
		if ann.pos > 2*rack.InputWindow {
			t.Fatal("a million keys in turns were taken")
		}
	}
}

func TestViewersLookOn(t *testing.T) {
	wd := newWorld()
	b := runningRack(t, wd)
	owner := attach(t, b.stream(t, rack.Owner), rack.AttachOptions{Node: "pc1", Cols: 80, Rows: 24})
	sizes := make(chan rack.ServerMessage, 8)
	vs := b.stream(t, rack.Viewer)
	viewer := attach(t, vs, rack.AttachOptions{Node: "pc1", Cols: 10, Rows: 10, Event: func(m rack.ServerMessage) {
		if m.T == "size" {
			sizes <- m
		}
	}})
	if m := <-sizes; m.Cols != 80 || m.Rows != 24 {
		t.Errorf("the viewer is told of %dx%d", m.Cols, m.Rows)
	}
	viewer.types(t, "forbidden\r")
	if err := viewer.Resize(33, 44); err != nil {
		t.Fatal(err)
	}
	if err := vs.Do(t.Context(), rack.Op{Do: "stop"}); err == nil || !strings.Contains(err.Error(), "looking on") {
		t.Errorf("a viewer stops the rack: %v", err)
	}
	owner.types(t, "allowed\r")
	viewer.shows(t, "allowed\r\n")
	if err := owner.Resize(100, 30); err != nil {
		t.Fatal(err)
	}
	if m := <-sizes; m.Cols != 100 || m.Rows != 30 {
		t.Errorf("the viewer is told of %dx%d", m.Cols, m.Rows)
	}
	wd.mu.Lock()
	defer wd.mu.Unlock()
	if got := wd.typed["pc1/0"].String(); got != "allowed\r" {
		t.Errorf("typed at pc1: %q", got)
	}
}

func TestFurtherConsoles(t *testing.T) {
	wd := newWorld()
	b := runningRack(t, wd)
	s := b.stream(t, rack.Owner)
	wd.mu.Lock()
	if len(wd.opened) != 0 {
		t.Errorf("opened unasked: %v", wd.opened)
	}
	wd.mu.Unlock()
	sc := attach(t, s, rack.AttachOptions{Node: "pc1", Console: 2, Cols: 90, Rows: 20})
	attach(t, s, rack.AttachOptions{Node: "pc1", Console: 2})
	sc.shows(t, "pc1/2# ")
	eventually(t, wd, func() bool { return wd.opened["pc1/2"] == 1 && wd.sizes["pc1/2"] == "90x20" })
	if err := s.Do(t.Context(), rack.Op{Do: "restart", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, wd, func() bool { return wd.opened["pc1/2"] == 2 && len(wd.opened) == 1 })
	if _, err := s.Attach(t.Context(), rack.AttachOptions{Node: "pc7"}); err == nil || !strings.Contains(err.Error(), "pc7") {
		t.Errorf("attaching an unknown node: %v", err)
	}
}

// A browser may size its terminal faster than the guest takes sizes.
func TestSizesAreMerged(t *testing.T) {
	wd := newWorld()
	b := runningRack(t, wd)
	const most = 2000
	begun := make(chan struct{}, most)
	gate := make(chan struct{})
	wd.mu.Lock()
	wd.resize = func() { begun <- struct{}{}; <-gate }
	wd.mu.Unlock()
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	w.attach(rack.ClientMessage{Node: "pc1", Channel: 1, From: -1, Cols: 80, Rows: 24})
	<-begun
	for i := range uint16(most) {
		w.text(rack.ClientMessage{T: "resize", Channel: 1, Cols: 100 + i%7, Rows: 30})
	}
	w.text(rack.ClientMessage{T: "resize", Channel: 1, Cols: 132, Rows: 43})
	w.text(rack.ClientMessage{T: "do", ID: 9, Op: &rack.Op{Do: "nothing"}})
	for w.next().ID != 9 { // the rack has taken all that came before
	}
	if n := len(begun); n != 0 {
		t.Errorf("%d sizes are on their way to the guest beside the first", n)
	}
	close(gate)
	eventually(t, wd, func() bool { return wd.sizes["pc1/0"] == "132x43" })
	if n := len(begun); n > 2 {
		t.Errorf("the guest was told %d sizes after the first, want the last alone", n)
	}
}

// eventually waits for what the rack does beside the answer.
func eventually(t *testing.T, w *world, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		w.mu.Lock()
		ok := f()
		state := fmt.Sprint(w.opened, w.sizes)
		w.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("it does not happen; the consoles are ", state)
		}
	}
}

func TestRuleBreakersAreCutOff(t *testing.T) {
	b := runningRack(t, newWorld())
	for name, send := range map[string]func(*wire) error{
		"no JSON":      func(w *wire) error { return w.WriteMessage(websocket.TextMessage, []byte("{")) },
		"unknown":      func(w *wire) error { return w.WriteJSON(rack.ClientMessage{T: "dance"}) },
		"long word":    func(w *wire) error { return w.WriteJSON(rack.ClientMessage{T: strings.Repeat("ä", 200)}) },
		"console 99":   func(w *wire) error { return w.WriteJSON(rack.ClientMessage{T: "attach", Console: 99}) },
		"short binary": func(w *wire) error { return w.WriteMessage(websocket.BinaryMessage, []byte{2, 0}) },
		"huge":         func(w *wire) error { return w.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<20)) },
	} {
		w := dialWire(t, b.dir, rand.Text(), rack.Owner)
		if err := send(w); err != nil && name != "huge" { // that one may be cut short
			t.Errorf("%s: %v", name, err)
		}
		for {
			w.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, _, err := w.ReadMessage(); err != nil {
				if !websocket.IsCloseError(err, websocket.ClosePolicyViolation, websocket.CloseMessageTooBig) {
					t.Errorf("%s: ended with %v", name, err)
				}
				break
			}
		}
	}
	_, err := rack.DialStream(t.Context(), b.dir, "short", rack.Owner)
	refused(t, err, 400, "session")
	_, err = rack.DialStream(t.Context(), b.dir, rand.Text(), "admin")
	refused(t, err, 400, "role")
}

func TestStatesAreCoalesced(t *testing.T) {
	b := runningRack(t, newWorld())
	w := dialWire(t, b.dir, rand.Text(), rack.Owner)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			op := rack.Op{Do: "unplug", Node: "pc1", Interface: "eth0"}
			if i%2 == 1 {
				op.Do = "plug"
			}
			if err := b.client.Do(t.Context(), op); err != nil {
				t.Error(err)
			}
		}
	}()
	began, states, plugged := time.Now(), 0, false
	for finished := false; !finished || !plugged; {
		_, data, err := w.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var m rack.ServerMessage
		if json.Unmarshal(data, &m) == nil && m.T == "state" {
			states++
			plugged = m.State.Nodes[0].Interfaces[0].Plugged
		}
		select {
		case <-done:
			finished = true
		default:
		}
	}
	if most := int(time.Since(began)/(100*time.Millisecond)) + 2; states > most {
		t.Errorf("%d states in %v", states, time.Since(began))
	}
}

func TestBigPasteArrivesWhole(t *testing.T) {
	wd := newWorld()
	wd.silence = true
	b := runningRack(t, wd)
	sc := attach(t, b.stream(t, rack.Owner), rack.AttachOptions{Node: "pc1"})
	var paste strings.Builder
	for i := range 60000 {
		paste.WriteString(strconv.Itoa(i) + "-")
	}
	paste.WriteString("end\r")
	if _, err := io.WriteString(sc, paste.String()); err != nil {
		t.Fatal(err)
	}
	sc.shows(t, "-end\r\n")
	wd.mu.Lock()
	defer wd.mu.Unlock()
	if got := wd.typed["pc1/0"].String(); got != paste.String() {
		t.Errorf("%d bytes arrived of %d, or they differ", len(got), paste.Len())
	}
}

func FuzzClientMessage(f *testing.F) {
	f.Add(false, []byte(`{"t":"attach","id":1,"node":"pc1","console":0,"channel":7,"epoch":1,"from":-1,"cols":80,"rows":24}`))
	f.Add(false, []byte(`{"t":"do","id":2,"op":{"do":"restart","node":"pc1"}}`))
	f.Add(false, []byte(`{"t":"resize","channel":65535,"cols":1001,"rows":0}`))
	f.Add(true, rack.AppendFrame(rack.MsgInput, 7, 1<<40, []byte("ls\r")))
	f.Add(true, rack.AppendFrame(rack.MsgAck, 7, -1, nil))
	f.Fuzz(func(t *testing.T, binary bool, p []byte) {
		if rack.CheckClientMessage(binary, p) != nil || !binary {
			return
		}
		kind, channel, position, data, err := rack.ParseFrame(p)
		if err != nil || !bytes.Equal(rack.AppendFrame(kind, channel, position, data), p) {
			t.Errorf("%x does not survive decoding and encoding: %v", p, err)
		}
	})
}
