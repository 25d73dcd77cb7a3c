package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

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
			name := ""
			if n.Pair == nil {
				name = show(n.Socket, "/net/"+strconv.Itoa(i), false, false)
			}
			v.nets = append(v.nets, name)
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
