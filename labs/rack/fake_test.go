package rack_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// fake is a machine without a kernel. A line typed at its consoles is a
// command: yes, poweroff, reboot, panic, anything else is said back.
type fake struct {
	plan  *rack.Plan
	far   []*net.UnixConn // the guest's side of the consoles
	near  []*net.UnixConn
	done  chan struct{}
	once  sync.Once
	exit  rack.Exit
	wg    sync.WaitGroup
	world *world
}

// world is what a test sees of its fakes, and how they shall behave.
type world struct {
	mu      sync.Mutex
	starts  map[string]int
	sizes   map[string]string // "pc1/0" → "80x24"
	opened  map[string]int
	typed   map[string]*bytes.Buffer // all that came in on "pc1/0"
	live    int
	still   int // machines that are paused
	pauses  int
	files   map[string][]byte
	refuse  func(node string) error // from Start
	boot    func(ctx context.Context, node string) error
	deaf    bool   // consoles do not read
	silence bool   // no prompt
	resize  func() // called by Resize, without mu
}

func newWorld() *world {
	return &world{starts: map[string]int{}, sizes: map[string]string{}, opened: map[string]int{},
		typed: map[string]*bytes.Buffer{}, files: map[string][]byte{}}
}

func (w *world) start(ctx context.Context, p *rack.Plan) (rack.Machine, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starts[p.Node.Name]++
	if w.refuse != nil {
		if err := w.refuse(p.Node.Name); err != nil {
			return nil, err
		}
	}
	f := &fake{plan: p, done: make(chan struct{}), world: w}
	for i := range p.Lines {
		near, far, err := pair()
		if err != nil {
			return nil, err
		}
		f.near, f.far = append(f.near, near), append(f.far, far)
		f.wg.Go(func() { f.shell(i, far) })
	}
	w.live++
	return f, nil
}

// pair makes a connected pair of stream sockets, as guests' consoles are.
func pair() (a, b *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "console")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			return nil, nil, err
		}
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1], nil
}

func (f *fake) shell(i int, c *net.UnixConn) {
	name := f.plan.Node.Name
	if f.world.deaf {
		<-f.done
		return
	}
	keys := make(chan byte, 1<<20)
	f.wg.Go(func() {
		defer close(keys)
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			f.world.mu.Lock()
			k := fmt.Sprint(name, "/", i)
			if f.world.typed[k] == nil {
				f.world.typed[k] = &bytes.Buffer{}
			}
			f.world.typed[k].Write(buf[:n])
			f.world.mu.Unlock()
			for _, b := range buf[:n] {
				keys <- b
			}
			if err != nil {
				return
			}
		}
	})
	prompt := func() {
		if !f.world.silence {
			fmt.Fprintf(c, "%s/%d# ", name, i)
		}
	}
	prompt()
	var line []byte
	for b := range keys {
		if b != '\r' {
			line = append(line, b)
			continue
		}
		cmd := string(line)
		line = nil
		switch cmd {
		case "yes":
			if !yes(c, keys) {
				return
			}
			fmt.Fprint(c, "^C\r\n")
		case "poweroff":
			f.end(rack.Exit{Kind: rack.PoweredOff})
		case "reboot":
			f.end(rack.Exit{Kind: rack.Rebooted})
		case "panic":
			fmt.Fprint(c, "Kernel panic\r\n")
			f.end(rack.Exit{Kind: rack.Died, Reason: "Its kernel panicked."})
		default:
			fmt.Fprintf(c, "%s\r\n", cmd)
		}
		prompt()
	}
}

// yes writes until Ctrl-C comes.
func yes(c *net.UnixConn, keys <-chan byte) bool {
	w := bufio.NewWriterSize(c, 4096)
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(w, "%015d\n", n); err != nil {
			return false
		}
		select {
		case b, ok := <-keys:
			if !ok {
				return false
			}
			if b == 3 {
				return w.Flush() == nil
			}
		default:
		}
	}
}

func (f *fake) end(e rack.Exit) {
	f.once.Do(func() {
		f.exit = e
		for _, c := range f.far {
			c.CloseWrite()
			c.CloseRead()
		}
		f.world.mu.Lock()
		f.world.live--
		f.world.mu.Unlock()
		close(f.done)
	})
}

func (f *fake) Console(i int) io.ReadWriter { return f.near[i] }

func (f *fake) Boot(ctx context.Context) error {
	f.world.mu.Lock()
	boot := f.world.boot
	f.world.mu.Unlock()
	if boot != nil {
		return boot(ctx, f.plan.Node.Name)
	}
	return nil
}

func (f *fake) OpenConsole(_ context.Context, i int) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.opened[fmt.Sprint(f.plan.Node.Name, "/", i)]++
	return nil
}

func (f *fake) Resize(_ context.Context, i int, cols, rows uint16) error {
	f.world.mu.Lock()
	resize := f.world.resize
	f.world.mu.Unlock()
	if resize != nil {
		resize()
	}
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.sizes[fmt.Sprint(f.plan.Node.Name, "/", i)] = fmt.Sprintf("%dx%d", cols, rows)
	return nil
}

func (f *fake) Exec(ctx context.Context, r *rack.ExecRequest) (*rack.ExecResult, error) {
	if r.Args[0] == "sleep" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &rack.ExecResult{ExitCode: len(r.Args), Stdout: []byte(strings.Join(r.Args, " ")), Stderr: r.Stdin}, nil
}

func (f *fake) Verify(_ context.Context, e agent.Exec) (agent.ExecResult, error) {
	return agent.ExecResult{Stdout: []byte(strings.Join(e.Args, " "))}, nil
}

func (f *fake) PutFile(_ context.Context, path string, mode uint32, data []byte) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.files[fmt.Sprintf("%s %o", path, mode)] = data
	return nil
}

func (f *fake) GetFile(_ context.Context, path string) ([]byte, error) {
	if path == "/missing" {
		return nil, &rack.Explained{Sentence: "There is no file /missing.", Err: os.ErrNotExist}
	}
	return []byte("content of " + path), nil
}

func (f *fake) Flush(context.Context) error { return nil }

func (f *fake) Pause(context.Context) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.still++
	f.world.pauses++
	return nil
}

func (f *fake) Resume(context.Context) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.still--
	return nil
}

func (w *world) heldStill() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.still
}

func (w *world) pausedOnce() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pauses > 0
}

func (f *fake) Stop(context.Context) error { f.end(rack.Exit{Kind: rack.PoweredOff}); return nil }
func (f *fake) Kill()                      { f.end(rack.Exit{Kind: rack.Died, Reason: "killed"}) }
func (f *fake) Started() <-chan struct{}   { c := make(chan struct{}); close(c); return c }
func (f *fake) Done() <-chan struct{}      { return f.done }
func (f *fake) Exit() rack.Exit            { return f.exit }
func (f *fake) Close() {
	f.wg.Wait()
	for i := range f.near {
		f.near[i].Close()
		f.far[i].Close()
	}
}

// twoHosts is the plainest topology.
func twoHosts() labs.Topology {
	return labs.Topology{
		Nodes: []labs.Node{
			{Name: "pc1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}}},
			{Name: "pc2", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}, {Name: "eth1"}}},
		},
		Segments: []labs.Segment{{Name: "lan", Kind: labs.Switch}},
	}
}

// bench is a rack that serves in this process.
type bench struct {
	dir    string
	client *rack.Client
	ended  chan error
	cancel context.CancelFunc
}

// serve runs a rack of fakes; it ends with the test.
func serve(t *testing.T, topo labs.Topology, w *world) *bench {
	t.Helper()
	dir := t.TempDir()
	spec := &rack.Spec{ID: "r1", Owner: "ann", LabSlug: "two-hosts", Title: "Two hosts", Topology: topo}
	if err := rack.WriteSpec(dir, spec); err != nil {
		t.Fatal(err)
	}
	b := serveAt(t, dir, w.start)
	t.Cleanup(func() {
		b.end(t)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.live != 0 {
			t.Errorf("%d machines outlive their rack", w.live)
		}
	})
	return b
}

func serveAt(t *testing.T, dir string, start rack.StartFunc) *bench {
	t.Helper()
	return serveWith(t, rack.Options{Dir: dir, Start: start})
}

func serveWith(t *testing.T, o rack.Options) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{dir: o.Dir, ended: make(chan error, 1), cancel: cancel}
	ready := make(chan struct{})
	go func() {
		b.ended <- rack.Serve(ctx, o, func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-b.ended:
		t.Fatalf("the rack ended at once: %v", err)
	}
	var err error
	if b.client, err = rack.Dial(ctx, o.Dir); err != nil {
		t.Fatal(err)
	}
	return b
}

// end stops the rack and waits for it.
func (b *bench) end(t *testing.T) {
	t.Helper()
	b.cancel()
	b.client.Close()
	select {
	case err, ok := <-b.ended:
		if ok && err != nil {
			t.Errorf("the rack ended with: %v", err)
		}
		if ok {
			close(b.ended)
		}
	case <-time.After(20 * time.Second):
		t.Error("the rack does not end")
	}
}

// stream opens a stream that ends with the test.
func (b *bench) stream(t *testing.T, role rack.Role) *rack.Stream {
	t.Helper()
	s, err := b.client.Stream(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// until waits for a state.
func until(t *testing.T, s *rack.Stream, what string, f func(*rack.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Watch(ctx, f); err != nil {
		t.Fatalf("waiting until %s: %v; the state is %+v", what, err, s.State())
	}
}

// nodesAre returns a condition for until.
func nodesAre(want rack.Status, names ...string) func(*rack.State) bool {
	return func(s *rack.State) bool {
		for _, n := range s.Nodes {
			for _, name := range names {
				if n.Name == name && n.Status != want {
					return false
				}
			}
		}
		return true
	}
}

// attach opens a console that is read until something has been said on it.
func attach(t *testing.T, s *rack.Stream, o rack.AttachOptions) *screen {
	t.Helper()
	sc := &screen{news: make(chan struct{}, 1)}
	event := o.Event
	o.Event = func(m rack.ServerMessage) {
		if event != nil {
			event(m)
		}
		if m.T == "epoch" || m.T == "gap" {
			sc.mu.Lock()
			sc.text.Reset()
			sc.mu.Unlock()
		}
	}
	term, err := s.Attach(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	sc.Terminal = term
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := term.Read(buf)
			if err != nil {
				return
			}
			sc.mu.Lock()
			sc.text.Write(buf[:n])
			sc.total += int64(n)
			sc.mu.Unlock()
			select {
			case sc.news <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { term.Close() })
	return sc
}

type screen struct {
	*rack.Terminal
	news chan struct{}

	mu    sync.Mutex
	text  bytes.Buffer
	total int64
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) read() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// shows waits until the screen contains text, and forgets it up to there.
func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		i := bytes.Index(s.text.Bytes(), []byte(text))
		if i >= 0 {
			s.text.Next(i + len(text))
		}
		s.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case <-s.news:
		case <-limit:
			got := s.String()
			t.Fatalf("the console does not show %q; it ends in %q", text, got[max(0, len(got)-500):])
		}
	}
}

func (s *screen) types(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
}

// refused checks that err is a rack's answer with a status.
func refused(t *testing.T, err error, status int, says string) {
	t.Helper()
	var r *rack.Refusal
	if !errors.As(err, &r) || r.Status != status || !strings.Contains(r.Error(), says) {
		t.Errorf("got %v (%T), want status %d and %q", err, err, status, says)
	}
}
