package guest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const cwd = ^uintptr(99) // AT_FDCWD, -100

// script writes down the jail: all that the new process does between its birth
// and the guest's kernel. d's descriptors below keep are the kernel's, the last
// is the control socket.
func (jail *cell) script(d *donations, keep int) (*script, error) {
	s, err := newScript()
	if err != nil {
		return nil, err
	}
	control := uintptr(len(d.files) - 1)
	s.defaultSignals()
	s.inherit(d)
	s.exactly(1, "waiting for the go-ahead", unix.SYS_READ, control, s.data(make([]byte, 1)), 1)
	s.become(jail)
	s.call("leaving the session", unix.SYS_SETSID)
	if jail.isolated {
		s.isolate(jail)
	}
	rights := s.sockets(jail)
	if err := s.restrict(jail, keep); err != nil {
		s.free()
		return nil, err
	}
	// Last of all, because a change of user disarms it. A parent that died
	// before has closed its end of the socket, so that the report fails.
	s.call("asking to die with the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	s.exactly(1, "reporting", unix.SYS_SENDMSG, control, s.message(rights), unix.MSG_NOSIGNAL)

	// Landlock's rules and the system call filter go here when they come: each
	// may forbid what the steps above do.

	s.unblockSignals()
	s.call("executing the kernel", unix.SYS_EXECVE, s.str(jail.args[0]), s.strs(jail.args), s.strs(jail.env))
	if s.err != nil {
		s.free()
		return nil, s.err
	}
	return s, nil
}

// inherit puts the donated descriptors to 0, 1, … and closes all others.
func (s *script) inherit(d *donations) {
	high := len(d.files)
	for _, f := range d.files {
		high = max(high, int(f.Fd())+1)
	}
	for i, f := range d.files {
		s.exactly(high+i, "ordering descriptors", unix.SYS_DUP3, f.Fd(), uintptr(high+i), unix.O_CLOEXEC)
	}
	for i := range d.files {
		s.exactly(i, "ordering descriptors", unix.SYS_DUP3, uintptr(high+i), uintptr(i), 0)
	}
	s.nextFD = len(d.files)
	s.call("closing the host's descriptors", unix.SYS_CLOSE_RANGE, uintptr(s.nextFD), uintptr(^uint32(0)), 0)
}

// become takes on the guest's user.
func (s *script) become(jail *cell) {
	if !jail.who.privileged {
		return
	}
	uid, gid := uintptr(jail.who.uid), uintptr(jail.who.gid)
	if jail.isolated {
		uid, gid = 0, 0 // which the user namespace maps to them
	}
	s.call("dropping groups", unix.SYS_SETGROUPS, 0, 0)
	s.call("changing the group", unix.SYS_SETRESGID, gid, gid, gid)
	s.call("changing the user", unix.SYS_SETRESUID, uid, uid, uid)
}

// isolate replaces the root by an empty one that holds the jail's mounts.
func (s *script) isolate(jail *cell) {
	empty, root := s.str(""), s.str("/")
	// Nothing mounted here may reach the host, whatever it shares.
	s.call("making mounts private", unix.SYS_MOUNT, empty, root, 0, unix.MS_REC|unix.MS_PRIVATE, 0)
	// The kernel tells its guest the host's name, in /proc/cpuinfo.
	s.call("setting the host name", unix.SYS_SETHOSTNAME, s.str("patchbay"), uintptr(len("patchbay")))
	// User namespaces within this one would give capabilities back to a guest
	// that broke out of its kernel. A container may hold /proc/sys read-only,
	// so a refusal is borne: the system call filter says it again.
	fd := uintptr(s.nextFD)
	s.try("forbidding user namespaces", unix.SYS_OPENAT, cwd, s.str("/proc/sys/user/max_user_namespaces"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	s.try("forbidding user namespaces", unix.SYS_WRITE, fd, s.str("0"), 1)
	s.try("forbidding user namespaces", unix.SYS_CLOSE, fd)

	trees := make([]uintptr, len(jail.mounts))
	for i, m := range jail.mounts {
		if m.tree != 0 {
			trees[i] = uintptr(m.tree)
			continue
		}
		trees[i] = uintptr(s.open("taking hold of "+m.source, unix.SYS_OPEN_TREE, cwd, s.str(m.source),
			unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
		s.setAttrs("restricting "+m.source, trees[i], empty, unix.AT_EMPTY_PATH, mountAttrs(m.write, m.exec))
	}

	base := s.tmpfs("an empty root", 1<<20, 256, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	// It needs a place that exists on every host, that any uid can walk to, and
	// below which nothing is needed any more.
	s.call("mounting an empty root", unix.SYS_MOVE_MOUNT, base, empty, cwd, s.str("/proc"), unix.MOVE_MOUNT_F_EMPTY_PATH)
	// The guest's memory is a file, and executed from.
	memory := s.tmpfs("the guest's memory", jail.bytes, 64, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)

	made := map[string]bool{}
	attach := func(name string, tree uintptr, target string, folder bool) {
		target = strings.TrimPrefix(target, "/")
		for i := range len(target) {
			if dir := target[:i]; target[i] == '/' && !made[dir] {
				made[dir] = true
				s.call(name, unix.SYS_MKDIRAT, base, s.str(dir), 0o755)
			}
		}
		if folder {
			s.call(name, unix.SYS_MKDIRAT, base, s.str(target), 0o755)
		} else {
			s.call(name, unix.SYS_MKNODAT, base, s.str(target), unix.S_IFREG|0o644, 0)
		}
		s.call(name, unix.SYS_MOVE_MOUNT, tree, empty, base, s.str(target), unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	attach("mounting "+jail.scratch, memory, jail.scratch, true)
	for i, m := range jail.mounts {
		attach(fmt.Sprintf("showing %s as %s", m.source, m.target), trees[i], m.target, false)
	}

	// Both roots stand at one place for a moment; the upper, old one goes.
	s.call("entering the new root", unix.SYS_FCHDIR, base)
	dot := s.str(".")
	s.call("changing the root", unix.SYS_PIVOT_ROOT, dot, dot)
	s.call("dropping the old root", unix.SYS_UMOUNT2, dot, unix.MNT_DETACH)
	s.call("entering the new root", unix.SYS_CHDIR, root)
	s.setAttrs("making the root read-only", cwd, root, 0, unix.MOUNT_ATTR_RDONLY)
}

func (s *script) setAttrs(name string, dir, path, flags uintptr, attrs uint64) {
	attr := s.words(attrs, 0, 0, 0)
	s.call(name, unix.SYS_MOUNT_SETATTR, dir, path, flags, attr, unix.MOUNT_ATTR_SIZE_VER0)
}

// tmpfs adds the making of a detached tmpfs and returns its descriptor.
func (s *script) tmpfs(name string, bytes int64, inodes int, attrs uintptr) uintptr {
	name = "making a file system for " + name
	fs := s.open(name, unix.SYS_FSOPEN, s.str("tmpfs"), unix.FSOPEN_CLOEXEC)
	for _, kv := range [][2]string{
		{"size", fmt.Sprint(bytes)},
		{"nr_inodes", fmt.Sprint(inodes)},
		{"mode", "0755"},
	} {
		s.call(name, unix.SYS_FSCONFIG, uintptr(fs), unix.FSCONFIG_SET_STRING, s.str(kv[0]), s.str(kv[1]), 0)
	}
	s.call(name, unix.SYS_FSCONFIG, uintptr(fs), unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
	return uintptr(s.open(name, unix.SYS_FSMOUNT, uintptr(fs), unix.FSMOUNT_CLOEXEC, attrs))
}

// sockets adds the two sockets that the host keeps in the guest's scratch
// folder, and returns the descriptors of the folder and of both. They are bound
// here because the kernel sends to the names that it sees.
func (s *script) sockets(jail *cell) (rights [3]int) {
	rights[0] = s.open("opening "+jail.scratch, unix.SYS_OPENAT, cwd, s.str(jail.scratch),
		unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for i, path := range []string{jail.notify, jail.client} {
		if len(path) > maxSocketPath {
			s.fail(fmt.Errorf("the socket path %q has %d bytes, more than the %d that fit", path, len(path), maxSocketPath))
		}
		name := "making the socket " + path
		fd := s.open(name, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		addr := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
		addr = append(append(addr, path...), 0)
		s.call(name, unix.SYS_BIND, uintptr(fd), s.data(addr), uintptr(len(addr)))
		rights[1+i] = fd
	}
	return rights
}

// message is a struct msghdr with one byte and the descriptors.
func (s *script) message(rights [3]int) uintptr {
	control := unix.UnixRights(rights[:]...)
	iov := s.words(uint64(s.str("1")), 1)
	return s.words(0, 0, uint64(iov), 1, uint64(s.data(control)), uint64(len(control)), 0)
}

// restrict takes from the process what the guest's kernel does not need.
func (s *script) restrict(jail *cell, keep int) error {
	limits := []struct {
		name string
		what int
		n    uint64
	}{
		{"limiting core dumps", unix.RLIMIT_CORE, 0},
		// In seccomp mode each process of the guest costs its kernel one.
		{"limiting open files", unix.RLIMIT_NOFILE, 4096},
		{"limiting file sizes", unix.RLIMIT_FSIZE, jail.fileSize},
		// A limit on processes belongs here, but RLIMIT_NPROC counts by the
		// host's uid, which guests share: cgroups carry it.
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.what, &now); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		n := min(l.n, now.Max)
		s.call(l.name, unix.SYS_PRLIMIT64, 0, uintptr(l.what), s.words(n, n), 0)
	}

	// A randomised heap would enlarge the guest's page array by the gap. Where
	// a container's filter denies this, the kernel lives with it.
	s.try("fixing addresses", unix.SYS_PERSONALITY, addrNoRandomize)
	if jail.cpu >= 0 {
		var set unix.CPUSet
		set.Set(jail.cpu)
		mask := unsafe.Slice((*byte)(unsafe.Pointer(&set)), unsafe.Sizeof(set))
		s.call(fmt.Sprintf("moving to CPU %d", jail.cpu), unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), s.data(mask))
	}
	s.call("keeping the jail's descriptors from the kernel", unix.SYS_CLOSE_RANGE,
		uintptr(keep), uintptr(^uint32(0)), unix.CLOSE_RANGE_CLOEXEC)

	n, err := capabilities()
	if err != nil {
		return err
	}
	if jail.isolated {
		for c := range n {
			s.call(fmt.Sprintf("dropping capability %d", c), unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c))
		}
	}
	s.call("dropping ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
	header := s.words(unix.LINUX_CAPABILITY_VERSION_3) // and pid 0, the caller
	s.call("dropping capabilities", unix.SYS_CAPSET, header, s.words(0, 0, 0))
	s.call("giving up new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	return nil
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
