package main

import (
	"bytes"
	"os"
	"syscall"

	"github.com/patchbay/patchbay/guest/agent"
)

// Where things are mounted in the initial RAM disk. Once the new root covers
// its root, none of this can be reached by a path.
const (
	imageDir = "/image"
	diskDir  = "/disk"
	rootDir  = "/newroot"
)

// refusal is a sentence for a student: why this machine cannot be.
type refusal string

func (r refusal) Error() string { return string(r) }

func mkdir(path string, mode uint32) error {
	if err := syscall.Mkdir(path, mode); err != nil && err != syscall.EEXIST {
		return wrap("making "+path, err)
	}
	return nil
}

const diskFull = "The machine's disk is full: remove something from it."

func mountDev() error {
	if err := mkdir("/dev", 0o755); err != nil {
		return err
	}
	return wrap("mounting /dev", syscall.Mount("dev", "/dev", "devtmpfs", 0, ""))
}

// mountRoot puts the disk over the image and makes that the root. It returns a
// descriptor of the old root. Its errors are sentences for a student.
func (g *guest) mountRoot() (int, error) {
	m := g.machine
	for _, dir := range [...]string{imageDir, diskDir, rootDir} {
		if err := mkdir(dir, 0o755); err != nil {
			return -1, err
		}
	}
	var device syscall.Stat_t
	if err := syscall.Stat(m.Root.Path, &device); err == nil { // otherwise the mount says so
		g.imageDevice = device.Rdev
	}
	if err := syscall.Mount(m.Root.Path, imageDir, m.Root.Type, syscall.MS_RDONLY, ""); err != nil {
		return -1, refusal("The machine's image cannot be mounted (" + m.Root.Path + ", " + m.Root.Type + ": " + err.Error() +
			"): it is damaged or of another type. Build the image anew.")
	}
	var err error
	if m.Disk.Path == "" {
		err = syscall.Mount("disk", diskDir, "tmpfs", 0, "mode=755")
	} else {
		// noinit_itable: a kernel thread would otherwise zero all of an empty
		// disk's inode tables, and so fill the copy-on-write file on the host.
		options := ""
		if m.Disk.Type == "ext4" {
			options = "noinit_itable"
		}
		err = syscall.Mount(m.Disk.Path, diskDir, m.Disk.Type, syscall.MS_NOATIME, options)
	}
	if err != nil {
		return -1, refusal("The machine's disk cannot be mounted (" + m.Disk.Path + ", " + m.Disk.Type + ": " + err.Error() +
			"): it is damaged. Reset the machine to give it a fresh one.")
	}
	full, err := overlay(m.Fresh && m.Disk.Path != "")
	if err != nil {
		return -1, err
	}
	if full {
		g.warnings = append(g.warnings, diskFull)
	}
	old, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, wrap("opening the initial root", err)
	}
	for _, step := range [...]struct {
		doing string
		do    func() error
	}{
		{"moving /dev into the image", func() error { return syscall.Mount("/dev", rootDir+"/dev", "", syscall.MS_MOVE, "") }},
		{"entering the new root", func() error { return syscall.Chdir(rootDir) }},
		{"moving the new root", func() error { return syscall.Mount(".", "/", "", syscall.MS_MOVE, "") }},
		{"changing the root", func() error { return syscall.Chroot(".") }},
		{"mounting /proc", func() error {
			return syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
		}},
	} {
		if err := step.do(); err != nil {
			return -1, refusal("The machine's image is not a Linux root file system (" + step.doing + ": " + err.Error() + ").")
		}
	}
	return old, nil
}

// reserve is a file on the disk, beside the overlay's own folders, that is
// given up when the disk is full: the kernel can then still make the overlay's
// working folder, without which the root would be read-only and nothing on it
// could be deleted.
const (
	reserve     = diskDir + "/reserve"
	reserveSize = 256 << 10
)

// overlay lays the disk over the image. full says that there was no room on
// the disk and the reserve is spent.
func overlay(fresh bool) (full bool, err error) {
	for _, dir := range [...]string{diskDir + "/upper", diskDir + "/work"} {
		if err := mkdir(dir, 0o755); err != nil {
			return false, refusal("The machine's disk cannot be written to (" + err.Error() + "). Reset the machine to give it a fresh one.")
		}
	}
	if fresh {
		if fd, err := syscall.Open(reserve, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600); err == nil {
			_ = syscall.Fallocate(fd, 0, 0, reserveSize) // without it a full disk is a lost one, and no worse
			syscall.Close(fd)
		}
	}
	for {
		err := syscall.Mount("overlay", rootDir, "overlay", 0,
			"lowerdir="+imageDir+",upperdir="+diskDir+"/upper,workdir="+diskDir+"/work")
		if err != nil {
			return false, refusal("The machine's disk cannot be laid over its image (" + err.Error() + "). Reset the machine to give it a fresh one.")
		}
		// When it cannot make its working folder, the kernel mounts read-only.
		var st syscall.Statfs_t
		if err := syscall.Statfs(rootDir, &st); err != nil || st.Flags&syscall.MS_RDONLY == 0 {
			return full, nil
		}
		if err := syscall.Unmount(rootDir, 0); err != nil || syscall.Unlink(reserve) != nil {
			return false, refusal("The machine's disk is full. Reset the machine to give it a fresh one.")
		}
		full = true
	}
}

// mountRest mounts what Debian expects besides /dev and /proc.
func mountRest() []error {
	const plain = syscall.MS_NOSUID | syscall.MS_NODEV
	var failed []error
	mount := func(source, target, fstype string, flags uintptr, options string, optional bool) {
		err := syscall.Mount(source, target, fstype, flags, options)
		if err != nil && !optional {
			failed = append(failed, wrap("mounting "+target, err))
		}
	}
	mount("sysfs", "/sys", "sysfs", plain|syscall.MS_NOEXEC, "", false)
	_ = mkdir("/dev/pts", 0o755)
	_ = mkdir("/dev/shm", 0o1777)
	mount("devpts", "/dev/pts", "devpts", syscall.MS_NOSUID|syscall.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666", false)
	mount("tmpfs", "/dev/shm", "tmpfs", plain, "", false)
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", plain|syscall.MS_NOEXEC, "", true) // not every kernel has it
	return failed
}

// mountModules lets the kernel find its modules, through the image's modprobe.
// IPv6 is among them: nothing asks for that by itself, and without it the lab's
// own addresses are refused.
func mountModules(d agent.Device) error {
	const dir = "/lib/modules"
	if err := mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(d.Path, dir, d.Type, syscall.MS_RDONLY, ""); err != nil {
		return wrap("mounting "+dir, err)
	}
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return wrap("loading the module for IPv6", err)
	}
	return syscall.Close(fd)
}

// mountRun gives services a place for what ends with the machine.
func mountRun() error {
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return wrap("mounting /run", err)
	}
	if err := mkdir("/run/lock", 0o777); err != nil {
		return err
	}
	return syscall.Chmod("/run/lock", 0o1777)
}

// devLinks are what bash's <(…) and many scripts open.
func devLinks() error {
	for name, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		if err := syscall.Symlink(target, name); err != nil && err != syscall.EEXIST {
			return wrap("making "+name, err)
		}
	}
	return nil
}

// endCPUInfo ends /proc/cpuinfo with an empty line, as every kernel but UML's
// does: without one ps -ef and top stop with "Unable to get system boot time".
// The line that names the host's kernel is left out.
func endCPUInfo() error {
	const proc, ours = "/proc/cpuinfo", "/run/cpuinfo"
	text, err := os.ReadFile(proc)
	if err != nil {
		return err
	}
	if bytes.HasSuffix(text, []byte("\n\n")) {
		return nil
	}
	var b []byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("host")) {
			b = append(b, line...)
		}
	}
	if err := writeFile(ours, 0o444, append(b, '\n')); err != nil {
		return err
	}
	return wrap("covering "+proc, syscall.Mount(ours, proc, "", syscall.MS_BIND, ""))
}
