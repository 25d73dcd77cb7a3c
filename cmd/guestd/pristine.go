package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// A pristine program sees the image as it was built, whatever the student did
// to their own root. Each gets a mount namespace of its own, made from the
// block device that the image lies on: one that was kept ready would be a place
// where a student with root could mount something beforehand. It is made by a
// thread of ours that ends with it, since a helper program would cost a fork,
// an exec and a start of the Go runtime.

var pristineEnviron = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "TERM=dumb", "LC_ALL=C.UTF-8",
}

// pristineSize bounds what a pristine program can write, in bytes.
const pristineSize = "4m"

// SpawnPristine is part of agent.System.
func (g *guest) SpawnPristine(e agent.Exec, files []uintptr) (p agent.Process, err error) {
	onThread(func() { p, err = g.spawnPristine(e, files) })
	return p, err
}

// onThread runs f on a thread that ends with it, so that f may give it another
// root, and waits.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and, for f's thread, never unlocked
		if syscall.Gettid() == syscall.Getpid() {
			// The main thread cannot end, and /proc/1/root is its root. While
			// we hold it, others get another.
			onThread(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// spawnPristine runs on a thread of its own, which is of no use afterwards.
func (g *guest) spawnPristine(e agent.Exec, files []uintptr) (agent.Process, error) {
	doubts := &doubts{}
	if err := g.enterPristine(); err != nil {
		return agent.Process{}, errors.New("the image cannot be looked at for a check: " + err.Error())
	}
	doubts.note(mendGroup())
	doubts.note(traced("/proc/self/task"))
	doubts.note(interpreters())
	for _, peer := range e.Peers {
		doubts.note(g.inspectPeer(peer))
	}
	env := agent.MergeEnv(pristineEnviron, e.Env)
	path, err := agent.LookPath(e.Args[0], env)
	if err != nil {
		return agent.Process{}, err
	}
	dir := e.Dir
	if dir == "" {
		dir = "/"
	}
	proc, err := g.procs.spawn(path, e.Args, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return agent.Process{}, wrap(path, err)
	}
	// Its folder in our own /proc, which outlives this thread by the descriptor.
	fd, err := syscall.Open("/proc/"+itoa(proc.PID), syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		fd = -1 // it has ended already
	}
	exit := make(chan syscall.WaitStatus, 1)
	go doubts.watch(fd, proc.Exit, exit) // ends with the program
	return agent.Process{PID: proc.PID, Exit: exit, Doubt: doubts.text}, nil
}

// enterPristine gives the calling thread a mount namespace and a root of its
// own, made of the image.
func (g *guest) enterPristine() error {
	const plain = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_RDONLY
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return wrap("a mount namespace", err)
	}
	// First of all: a student's shared mounts would show what we mount.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return wrap("private mounts", err)
	}
	student, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return wrap("the guest's root", err)
	}
	defer syscall.Close(student)
	// With what is mounted below it, the namespaces of ip netns for example.
	run, err := unix.OpenTree(unix.AT_FDCWD, "/run", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		defer syscall.Close(run)
	}
	var st unix.Stat_t
	if err != nil || unix.Fstat(run, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		run = -1 // a student may have removed it or put something else there
	}
	if err := enterEmpty(); err != nil {
		return err
	}
	for _, step := range [...]func() error{g.layImage, layKernel, layDev} {
		if err := step(); err != nil {
			return err
		}
	}
	lay := func(fd int, path string, flags uint) error {
		if err := mkdir(path, 0o755); err != nil || fd < 0 {
			return err
		}
		attr := unix.MountAttr{Attr_set: plain}
		return wrap("mounting "+path, errors.Join(
			unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|flags, &attr),
			unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)))
	}
	if err := errors.Join(lay(student, "/student", 0), lay(run, "/run", unix.AT_RECURSIVE)); err != nil {
		return err
	}
	// A program that is given a name is to find what the student's would. Where
	// there is no such file, or something else in its place, none is found.
	for _, name := range [...]string{"/etc/hosts", "/etc/resolv.conf"} {
		_ = syscall.Mount("/student"+name, name, "", syscall.MS_BIND, "")
	}
	return nil
}

// enterEmpty makes an empty file system in memory the thread's root. It goes by
// descriptors, since there need be no folder left in the student's root.
func enterEmpty() error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return wrap("a root in memory", err)
	}
	defer syscall.Close(fs)
	if err := errors.Join(unix.FsconfigSetString(fs, "size", pristineSize), unix.FsconfigSetString(fs, "mode", "755"),
		unix.FsconfigCreate(fs)); err != nil {
		return wrap("a root in memory", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return wrap("a root in memory", err)
	}
	defer syscall.Close(root)
	return wrap("entering a root in memory", errors.Join(
		unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH),
		syscall.Fchdir(root), syscall.Chroot(".")))
}

// layImage mounts the image anew, by its device's number, and shows its folders.
func (g *guest) layImage() error {
	const device, whole = "/.device", "/.image"
	if err := errors.Join(mkdir(whole, 0o755), syscall.Mknod(device, syscall.S_IFBLK|0o600, int(g.imageDevice))); err != nil {
		return err
	}
	if err := syscall.Mount(device, whole, g.machine.Root.Type, syscall.MS_RDONLY, ""); err != nil {
		return wrap("mounting the image", err)
	}
	entries, err := os.ReadDir(whole)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := whole+"/"+e.Name(), "/"+e.Name()
		switch e.Name() {
		case "proc", "sys", "dev", "run", "tmp", "student", "media", "mnt", "boot", "lost+found":
			continue
		}
		switch {
		case e.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err == nil {
				err = syscall.Symlink(target, to)
			}
			if err != nil {
				return err
			}
		case e.IsDir():
			if err := mkdir(to, 0o755); err != nil {
				return err
			}
			if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
				return wrap("mounting "+to, err)
			}
		}
	}
	return wrap("tidying up", errors.Join(syscall.Unmount(whole, syscall.MNT_DETACH), syscall.Rmdir(whole), syscall.Unlink(device)))
}

// layKernel mounts the kernel's own file systems, with nothing over them.
func layKernel() error {
	const plain = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	if err := errors.Join(mkdir("/proc", 0o555), mkdir("/sys", 0o555)); err != nil {
		return err
	}
	return errors.Join(
		wrap("mounting /proc", syscall.Mount("proc", "/proc", "proc", plain, "")),
		wrap("mounting /sys", syscall.Mount("sysfs", "/sys", "sysfs", plain, "")))
}

// layDev makes the few devices that programs open without thinking.
func layDev() error {
	if err := errors.Join(mkdir("/dev", 0o755), mkdir("/tmp", 0o777), syscall.Chmod("/tmp", 0o1777)); err != nil {
		return err
	}
	for minor, name := range map[uint32]string{3: "null", 5: "zero", 7: "full", 8: "random", 9: "urandom"} {
		path := "/dev/" + name
		if err := errors.Join(syscall.Mknod(path, syscall.S_IFCHR|0o666, int(unix.Mkdev(1, minor))), syscall.Chmod(path, 0o666)); err != nil {
			return wrap("making "+path, err)
		}
	}
	return devLinks()
}
