package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Jail says how a guest is locked in. The zero value is the jail that Patchbay
// means; its fields take parts away or, later, say more of what it may use.
//
// A jailed guest lives in user, PID, mount, network, IPC and UTS namespaces of
// its own, in an empty root that holds the files it was given and a bounded
// tmpfs, without capabilities, unable to gain any, and dies with the process
// that started it.
type Jail struct {
	// Disabled leaves the namespaces and the root out, for debugging alone:
	// the guest then sees the host's files as its uid does, and a guest that
	// is killed may leave processes behind.
	Disabled bool
}

// nobody is the uid and gid that a guest runs as when root starts it and the
// Config names none.
const nobody = 65534

// account is whom a guest runs as.
type account struct {
	uid, gid   int
	privileged bool // the host's root starts it, and gives the guest away to uid
}

func accountFor(c *Config) account {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}
	}
	uid := c.UID
	if uid == 0 {
		uid = nobody
	}
	return account{uid: uid, gid: uid, privileged: true}
}

// cell is a jail as it is to be built.
type cell struct {
	who      account
	isolated bool // in new namespaces, with an empty root
	mounts   []cellMount
	scratch  string // the folder for sockets and, isolated, for the guest's memory
	bytes    int64  // how much the tmpfs on scratch holds; isolated only
	notify   string // where to bind the socket for the kernel's messages
	client   string // where to bind the socket for mconsole's answers
	cpu      int    // -1 for any
	fileSize uint64 // no file may be made longer; bytes
	args     []string
	env      []string
}

// cellMount is a file that the guest sees.
type cellMount struct {
	source string // host path
	tree   int    // descriptor of a detached mount of source, in the child; 0 for none
	target string // in the jail
	write  bool
	exec   bool
}

// furnish decides what the guest of c sees, gives d the descriptors that this
// takes, and returns the guest's view of it, but for consoles and agent.
func furnish(c *Config, who account, d *donations) (cell, view, error) {
	jail := cell{who: who, cpu: c.CPU, scratch: "/run"}
	v := view{}
	if c.Jail.Disabled {
		jail.scratch = filepath.Join(c.Dir, "run")
		v = view{kernel: c.Kernel.Path, initrd: c.Initrd, image: c.Image.Path, disk: c.Disk.Path,
			modules: c.Kernel.Modules.Path}
		for _, n := range c.NICs {
			v.nets = append(v.nets, n.Socket)
		}
		if err := os.Mkdir(jail.scratch, 0o700); err != nil {
			return jail, v, fmt.Errorf("making a folder for the guest's memory: %w", err)
		}
		if err := os.Lchown(jail.scratch, who.uid, who.gid); err != nil {
			return jail, v, fmt.Errorf("giving the guest its folder: %w", err)
		}
	} else {
		jail.isolated = true
		// The memory file, and 1 MiB for sockets and the kernel's own trifles.
		jail.bytes = c.Memory + 1<<20
		var err error
		show := func(source, target string, write, exec bool) string {
			m := cellMount{source: source, target: target, write: write, exec: exec}
			if who.privileged && err == nil {
				m.tree, err = giveTree(d, source, write, exec)
			}
			jail.mounts = append(jail.mounts, m)
			return target
		}
		v.kernel = show(c.Kernel.Path, "/linux", false, true)
		for _, lib := range c.Kernel.Libs {
			show(lib, lib, false, true)
		}
		v.initrd = show(c.Initrd, "/initrd", false, false)
		v.image = show(c.Image.Path, "/image", false, false)
		if c.Disk.Path != "" {
			v.disk = show(c.Disk.Path, "/disk", true, false)
		}
		if c.Kernel.Modules.Path != "" {
			v.modules = show(c.Kernel.Modules.Path, "/modules", false, false)
		}
		for i, n := range c.NICs {
			v.nets = append(v.nets, show(n.Socket, "/net/"+strconv.Itoa(i), false, false))
		}
		if err != nil {
			return jail, v, err
		}
	}
	jail.notify = filepath.Join(jail.scratch, "notify")
	jail.client = filepath.Join(jail.scratch, "client")
	jail.env = []string{"TMPDIR=" + jail.scratch, "HOME=" + jail.scratch}
	v.scratch, v.notify = jail.scratch, jail.notify

	// A guest's disk cannot grow beyond its template, whatever runs in the jail.
	size := c.Memory + 1<<20
	if !canFixAddresses() {
		size += heapGap
	}
	if c.Disk.Path != "" {
		fi, err := os.Stat(c.Disk.Path)
		if err != nil {
			return jail, v, fmt.Errorf("looking at the disk: %w", err)
		}
		size = max(size, fi.Size())
	}
	jail.fileSize = uint64(size)
	return jail, v, nil
}

// heapGap is by how much a randomised heap may lengthen a guest's memory file,
// the most that x86-64 draws. The file is sparse there.
const heapGap = 1 << 30

const addrNoRandomize = 0x0040000 // of personality(2)

// canFixAddresses says whether a process started here may give up address
// randomisation, which many containers' filters deny.
func canFixAddresses() bool {
	runtime.LockOSThread() // it is a thread's
	defer runtime.UnlockOSThread()
	const query = 0xffffffff
	old, _, _ := unix.RawSyscall(unix.SYS_PERSONALITY, query, 0, 0)
	_, _, denied := unix.RawSyscall(unix.SYS_PERSONALITY, old|addrNoRandomize, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	return denied == 0
}

// giveTree gives d a detached mount of one file. Only the host's root can make
// it out here, and only it has to: the guest's uid may be unable to walk there.
func giveTree(d *donations, source string, write, exec bool) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("taking hold of %s: %w", source, err)
	}
	f := os.NewFile(uintptr(fd), source)
	attr := unix.MountAttr{Attr_set: mountAttrs(write, exec)}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		f.Close()
		return 0, fmt.Errorf("restricting %s: %w", source, err)
	}
	return d.give(f), nil
}

func mountAttrs(write, exec bool) uint64 {
	attrs := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if !write {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if !exec {
		attrs |= unix.MOUNT_ATTR_NOEXEC
	}
	return attrs
}

// inmate is a guest's kernel in its jail, just executed.
type inmate struct {
	process *os.Process
	scratch *os.File // its scratch folder
	notify  *os.File // bound socket, non-blocking: the kernel's messages
	client  *os.File // bound socket, non-blocking: to ask mconsole from

	ended chan struct{} // closed when state is set
	state *os.ProcessState
	err   error
}

// wait returns how the process ended, once it has.
func (in *inmate) wait() (*os.ProcessState, error) {
	<-in.ended
	return in.state, in.err
}

// close drops what is left of the jail on this side.
func (in *inmate) close() {
	for _, f := range []*os.File{in.scratch, in.notify, in.client} {
		if f != nil {
			f.Close()
		}
	}
}

// lock builds the jail and executes the guest's kernel in it. d holds what the
// kernel is given, keep its count; what d holds beyond is the jail's own. It is
// closed in any case. ctx bounds the building alone.
//
// The process dies when this one does, and a parent's death is, to the kernel,
// the death of the thread that forked. So the fork happens on a thread of its
// own, which then waits for the process and does nothing else: each guest
// costs one thread that sleeps.
func (jail *cell) lock(ctx context.Context, d *donations, keep int) (*inmate, error) {
	defer d.close()
	control, theirs, err := controlPair()
	if err != nil {
		return nil, fmt.Errorf("making the jail's control socket: %w", err)
	}
	defer control.Close()
	d.give(theirs)
	s, err := jail.script(d, keep)
	if err != nil {
		return nil, err
	}
	defer s.free()

	in := &inmate{ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(in.ended)
		pid, err := s.start(jail.namespaces())
		if err == nil {
			in.process, err = os.FindProcess(pid)
		}
		started <- err
		if err == nil {
			in.state, in.err = in.process.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the jail: %w%s", err, namespaceHint(err))
	}
	d.close() // or the control socket would never report its end

	stop := context.AfterFunc(ctx, func() { _ = in.process.Kill() })
	err = jail.admit(in, control, s)
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = in.process.Kill()
		if state, _ := in.wait(); errors.Is(err, errJailGone) && state != nil {
			err = fmt.Errorf("%w: %s", err, state)
		}
		in.close()
		return nil, err
	}
	return in, nil
}

func (jail *cell) namespaces() uint64 {
	if !jail.isolated {
		return 0
	}
	return unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
		unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
}

var errJailGone = errors.New("the jail ended before the guest's kernel was started")

// admit maps the child's user, lets it go on, takes its descriptors, and
// returns when it has executed the kernel.
func (jail *cell) admit(in *inmate, control *os.File, s *script) error {
	if jail.isolated {
		if err := jail.mapUser(in.process.Pid); err != nil {
			return err
		}
	}
	fd := int(control.Fd())
	if err := unix.Sendto(fd, []byte{1}, unix.MSG_NOSIGNAL, nil); err != nil {
		return errJailGone
	}
	for {
		var b [1]byte
		oob := make([]byte, unix.CmsgSpace(3*4))
		n, oobn, _, _, err := unix.Recvmsg(fd, b[:], oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("hearing from the jail: %w", err)
		case n == 0: // closed, by execve or by its end
			if err := s.failure(); err != nil {
				return err
			}
			if in.scratch == nil {
				return errJailGone
			}
			return nil
		}
		if err := in.receive(oob[:oobn]); err != nil {
			return err
		}
	}
}

// receive takes the three descriptors that the jail sends when it stands.
func (in *inmate) receive(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return fmt.Errorf("the jail sent %d control messages: %w", len(msgs), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 3 {
		return fmt.Errorf("the jail sent %d descriptors: %w", len(fds), err)
	}
	in.scratch = os.NewFile(uintptr(fds[0]), "scratch")
	in.notify = os.NewFile(uintptr(fds[1]), "notify")
	in.client = os.NewFile(uintptr(fds[2]), "mconsole")
	return nil
}

// mapUser makes the child's user 0 the guest's account, and no other known.
func (jail *cell) mapUser(pid int) error {
	files := []struct{ name, text string }{
		{"gid_map", fmt.Sprintf("0 %d 1", jail.who.gid)},
		{"uid_map", fmt.Sprintf("0 %d 1", jail.who.uid)},
	}
	if !jail.who.privileged {
		// The price of mapping without privilege.
		files = append([]struct{ name, text string }{{"setgroups", "deny"}}, files...)
	}
	for _, f := range files {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, f.name), []byte(f.text), 0); err != nil {
			return fmt.Errorf("mapping the guest's user: %w%s", err, namespaceHint(err))
		}
	}
	return nil
}

// namespaceHint explains the refusals that a host's configuration causes.
func namespaceHint(err error) string {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOSYS):
		return " (this host or container lets this user make no user namespaces: see kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)"
	case errors.Is(err, syscall.ENOSPC):
		return " (the limit user.max_user_namespaces or its like is reached)"
	case errors.Is(err, syscall.EAGAIN):
		return " (this user may have no more processes)"
	}
	return ""
}

// controlPair makes a blocking pair of sockets that keep messages apart.
func controlPair() (ours, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

// capabilities is how many the host's kernel knows.
func capabilities() (int, error) {
	b, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return 0, fmt.Errorf("counting capabilities: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("counting capabilities: %w", err)
	}
	return n + 1, nil
}
