package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

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
		return nil, refused("starting the jail", err)
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

func (jail *cell) namespaces() uintptr {
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
		return fmt.Errorf("the jail sent %d control messages (%v)", len(msgs), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 3 {
		return fmt.Errorf("the jail sent %d descriptors (%v)", len(fds), err)
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
			return refused("mapping the guest's user", err)
		}
	}
	return nil
}

// refused explains the refusals that a host's configuration causes. Their error
// numbers mean something else to whoever looks for a full disk or a missing
// right, so they are not passed on; others are.
func refused(doing string, err error) error {
	why := ""
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOSYS):
		why = "this host or container lets this user make no user namespaces: see kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns"
	case errors.Is(err, syscall.ENOSPC):
		why = "the limit user.max_user_namespaces or one of its like is reached"
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %v (%s)", doing, err, why)
}

// controlPair makes a blocking pair of sockets that keep messages apart.
func controlPair() (ours, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}
