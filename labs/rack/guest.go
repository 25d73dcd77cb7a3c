package rack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
)

// Defaults of a node that its lab says nothing about, in bytes.
const (
	DefaultMemory = 128 << 20
	DefaultDisk   = 1 << 30
)

// GuestdEnv names the environment variable that says where guestd lies, when
// it is not beside the patchbay program.
const GuestdEnv = "PATCHBAY_GUESTD"

// guestdPath returns where the guests' first program lies.
func guestdPath() (string, error) {
	if p := os.Getenv(GuestdEnv); p != "" {
		return p, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding guestd: %w", err)
	}
	return filepath.Join(filepath.Dir(exe), "guestd"), nil
}

// StartGuest starts a real guest from the kernels and images in the rack's
// cache. Its StartFunc is what a rack uses when it is given no other.
func StartGuest(ctx context.Context, p *Plan) (Machine, error) {
	c, fresh, err := GuestConfig(p)
	if err != nil {
		return nil, explain(err)
	}
	g, err := guest.Start(ctx, *c)
	if err != nil {
		return nil, explain(err)
	}
	m := &guestMachine{Guest: g, dir: p.Dir, fresh: fresh, started: make(chan struct{})}
	m.events.Go(m.listen)
	return m, nil
}

// GuestConfig finds and makes what the guest needs. fresh says that its disk
// is new.
func GuestConfig(p *Plan) (c *guest.Config, fresh bool, err error) {
	n, cache := p.Node, p.Rack.Cache
	name := n.Kernel
	if p.Kernel != "" {
		name = p.Kernel
	}
	k, err := kernel.Find(cache, name)
	if err != nil {
		return nil, false, err
	}
	if n.Mode == "seccomp" && !k.Seccomp {
		return nil, false, &Explained{
			Sentence: fmt.Sprintf("The kernel %s cannot run in seccomp mode; let the lab ask for ptrace or for another kernel.", k.Name),
			Err:      errors.New("the kernel does not know seccomp="),
		}
	}
	img, err := image.Find(cache, n.Image)
	if err != nil {
		return nil, false, err
	}
	guestd, err := guestdPath()
	if err != nil {
		return nil, false, err
	}
	initrd, err := kernel.Initrd(cache, k, guestd)
	if err != nil {
		return nil, false, err
	}
	disk, fresh, err := prepareDisk(p.Dir, cache, orDefault(n.DiskBytes, DefaultDisk), p.Rack.firstDisk(n.Name))
	if err != nil {
		return nil, false, err
	}
	run := filepath.Join(p.Dir, "run")
	if err := errors.Join(os.RemoveAll(run), os.MkdirAll(run, 0o711)); err != nil {
		return nil, false, fmt.Errorf("making the guest's folder: %w", err)
	}
	c = &guest.Config{
		Name: n.Name,
		Dir:  run,
		Kernel: guest.Kernel{
			Name: k.Name, Path: k.Path, Libs: k.Libs, Args: k.Args,
			Seccomp: k.Seccomp, Offload: k.Offload && p.Offload, Carrier: k.Carrier && p.Carrier,
		},
		Initrd:  initrd,
		Image:   guest.Disk{Path: img.Path, Type: img.Type},
		Disk:    guest.Disk{Path: disk, Type: image.DiskType},
		Memory:  orDefault(n.MemoryBytes, DefaultMemory),
		CPU:     p.CPU,
		Seccomp: n.Mode == "seccomp",
		Lines:   p.Lines,
		Machine: machineOf(n, fresh),
		Log:     p.Log,
	}
	if k.Modules != "" {
		c.Kernel.Modules = guest.Disk{Path: k.Modules, Type: "squashfs"}
	}
	for _, nic := range p.NICs {
		c.NICs = append(c.NICs, guest.NIC{MAC: nic.MAC, Socket: nic.Socket, MTU: nic.MTU})
	}
	return c, fresh, nil
}

// machineOf says in guestd's words what the lab says of a node.
func machineOf(n *labs.Node, fresh bool) agent.Machine {
	m := agent.Machine{
		Hostname:  n.Name,
		Startup:   n.Startup,
		TimeNanos: time.Now().UnixNano(),
		Fresh:     fresh,
	}
	for i, f := range n.Interfaces {
		m.Interfaces = append(m.Interfaces, agent.Interface{
			Vec: i, Name: f.Name, MTU: f.MTU, Addresses: f.Addresses, Gateway: f.Gateway,
			Down: f.Segment == "",
		})
	}
	for _, s := range n.Sysctls {
		m.Sysctls = append(m.Sysctls, agent.Sysctl{Key: s.Key, Value: s.Value})
	}
	if fresh {
		for _, f := range n.Files {
			m.Files = append(m.Files, agent.File{Path: f.Path, Mode: f.Mode, Data: f.Data})
		}
	}
	return m
}

func orDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return n
}

// explain puts what kept a guest from starting into a sentence for a student.
func explain(err error) error {
	var ex *Explained
	var noKernel *kernel.NotFoundError
	var noImage *image.NotFoundError
	var boot *guest.BootError
	say := func(s string) error { return &Explained{Sentence: s, Err: err} }
	short := Shortage(err, "the machine")
	switch {
	case errors.As(err, &ex):
		return err
	case errors.As(err, &boot):
		return say(boot.Reason)
	case errors.As(err, &noKernel):
		return say("The machine's kernel is missing on this server: " + noKernel.Error() + ".")
	case errors.As(err, &noImage):
		return say("The machine's image is missing on this server: " + noImage.Error() + ".")
	case short != "":
		return say(short)
	case errors.Is(err, fs.ErrNotExist):
		return say("Something that the machine needs is missing on this server: " + err.Error() + ".")
	}
	return say("The machine could not be started: " + err.Error() + ".")
}

// Shortage says in a sentence for a student what the server lacks to start what
// is named. It is empty when err is about something else.
func Shortage(err error, what string) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "The server's disk is full; " + what + " can start when there is room again."
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EAGAIN):
		return "The server has no memory or no processes left for " + what + "."
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "The server has too much open to start " + what + "."
	}
	return ""
}

// guestMachine is a guest as a rack sees it.
type guestMachine struct {
	*guest.Guest
	dir    string
	fresh  bool
	events sync.WaitGroup

	started chan struct{} // closed by listen, see Started

	mu   sync.Mutex
	kind ExitKind // what guestd said of the end
}

func (m *guestMachine) Started() <-chan struct{} { return m.started }

func (m *guestMachine) Console(i int) io.ReadWriter { return m.Guest.Console(i) }

// listen notes what guestd says of the guest's end, until its line ends.
func (m *guestMachine) listen() {
	started := sync.OnceFunc(func() { close(m.started) })
	defer started()
	for e := range m.Agent().Events() {
		m.mu.Lock()
		switch e.Kind {
		case agent.EventStarted:
			started()
		case agent.EventRebooting:
			m.kind = Rebooted
		case agent.EventPoweredOff:
			m.kind = PoweredOff
		}
		m.mu.Unlock()
	}
}

func (m *guestMachine) Boot(ctx context.Context) error {
	if _, err := m.Guest.Boot(ctx); err != nil {
		return explain(err)
	}
	if m.fresh {
		return keepDisk(m.dir)
	}
	return nil
}

func (m *guestMachine) OpenConsole(ctx context.Context, i int) error {
	return m.Agent().OpenConsole(ctx, i)
}

func (m *guestMachine) Resize(ctx context.Context, i int, cols, rows uint16) error {
	return m.Agent().Resize(ctx, i, cols, rows)
}

func (m *guestMachine) Verify(ctx context.Context, e agent.Exec) (agent.ExecResult, error) {
	return m.Agent().Verify(ctx, e)
}

func (m *guestMachine) Exec(ctx context.Context, r *ExecRequest) (*ExecResult, error) {
	res, err := m.Agent().Exec(ctx, agent.Exec{Args: r.Args, Stdin: r.Stdin})
	if err != nil {
		return nil, requestError(err)
	}
	return &ExecResult{ExitCode: res.Code, Stdout: res.Stdout, Stderr: res.Stderr, Cut: res.Cut}, nil
}

func (m *guestMachine) PutFile(ctx context.Context, path string, mode uint32, data []byte) error {
	return requestError(m.Agent().Put(ctx, path, mode, data))
}

func (m *guestMachine) GetFile(ctx context.Context, path string) ([]byte, error) {
	data, _, err := m.Agent().Get(ctx, path, maxFile)
	return data, requestError(err)
}

func (m *guestMachine) Flush(ctx context.Context) error { return m.Agent().Flush(ctx) }

// requestError marks guestd's refusals as what they are: answers.
func requestError(err error) error {
	var refused *agent.RequestError
	if errors.As(err, &refused) {
		return &Explained{Sentence: strings.TrimSuffix(refused.Text, ".") + ".", Err: err}
	}
	return err
}

func (m *guestMachine) Exit() Exit {
	x := m.Guest.Exit()
	m.events.Wait() // the line has ended with the guest
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case x.Panic:
		return Exit{Kind: Died, Reason: x.Reason}
	case x.Asked:
		return Exit{Kind: PoweredOff, Reason: x.Reason}
	case m.kind != Died:
		return Exit{Kind: m.kind, Reason: x.Reason}
	case x.Signal == 0 && x.Code == 0:
		return Exit{Kind: PoweredOff, Reason: x.Reason}
	}
	return Exit{Kind: Died, Reason: x.Reason}
}

// Close lets go of what is left: consoles that were not read to their end.
func (m *guestMachine) Close() {
	m.events.Wait()
	for i := range consoleLines {
		m.Guest.Console(i).Close() // again, for those that were
	}
	_ = os.RemoveAll(filepath.Join(m.dir, "run")) // the next start does it otherwise
}
