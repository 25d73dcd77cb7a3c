package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// inspectDir is where a disk that is looked at lies over its image.
const inspectDir = "/inspect"

// inspect makes this guest one that looks at a student's disk. Nothing on it is
// executed, no device of it opened, and no link leads out of it.
func (g *guest) inspect() (agent.Ready, error) {
	if err := g.mountInspected(); err != nil {
		g.complain(err.Error())
		return agent.Ready{}, err
	}
	g.times.Mounted = uptime()
	g.warn("listening", g.line.poll())
	close(g.listening)
	ignoreSignals()
	g.times.Ready = uptime()
	return agent.Ready{Times: g.times, Warnings: g.warnings, StartupDone: true}, nil
}

func (g *guest) mountInspected() (err error) {
	const harmless = syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	m := g.machine
	for _, dir := range [...]string{imageDir, diskDir, inspectDir} {
		if err := mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mount(m.Root.Path, imageDir, m.Root.Type, harmless, ""); err != nil {
		return wrap("mounting the image", err)
	}
	if g.seen.image, err = openRoot(imageDir); err != nil {
		return err
	}
	if m.Disk.Path == "" {
		g.seen.root, err = openRoot(imageDir)
		return err
	}
	// The file system's own wish to panic at an error is not heard.
	options := ""
	if m.Disk.Type == "ext4" {
		options = "noinit_itable,errors=continue"
	}
	if err := syscall.Mount(m.Disk.Path, diskDir, m.Disk.Type, harmless, options); err != nil {
		return refusal("The disk's file system cannot be mounted (" + err.Error() + ").")
	}
	layers := diskDir + "/upper:" + imageDir
	var st syscall.Stat_t
	switch err := syscall.Lstat(diskDir+"/upper", &st); {
	case err == syscall.ENOENT: // never laid over anything
		layers = imageDir
	case err != nil:
		return refusal("The disk's file system cannot be read (" + err.Error() + ").")
	case st.Mode&syscall.S_IFMT != syscall.S_IFDIR:
		return refusal("The disk has something else than a folder where its files belong.")
	}
	if layers == imageDir {
		g.seen.root, err = openRoot(imageDir)
		return err
	}
	// A redirection written onto the disk by hand would show a folder of the
	// image under another name.
	if err := syscall.Mount("overlay", inspectDir, "overlay", harmless,
		"lowerdir="+layers+",redirect_dir=nofollow,metacopy=off,index=off,xino=off"); err != nil {
		return refusal("The disk cannot be laid over its image (" + err.Error() + ").")
	}
	g.seen.root, err = openRoot(inspectDir)
	return err
}

func openRoot(path string) (int, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	return fd, wrap("opening "+path, err)
}

// Flush is agent.Flusher: it writes the student's disk, and no other file
// system that somebody may have mounted.
func (g *guest) Flush() error {
	if g.machine.Disk.Path == "" {
		return nil
	}
	fd, err := unix.Openat(g.oldRoot, diskDir[1:], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wrap("opening the disk", err)
	}
	defer unix.Close(fd)
	return wrap("writing the disk", unix.Syncfs(fd))
}
