package main

import (
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// network names the interfaces, sets the sysctls and brings all up. In that
// order, since a sysctl may name an interface, and some count only before it
// is up. What fails is a warning: the rest of the machine is of use.
func (g *guest) network() {
	nl, err := openNetlink()
	if err != nil {
		g.warn("setting up the network", err)
		return
	}
	defer nl.close()
	for _, i := range g.machine.Interfaces {
		if old := "vec" + itoa(i.Vec); old != i.Name {
			g.warn("naming interface "+i.Name, nl.rename(old, i.Name))
		}
	}
	for _, s := range g.machine.Sysctls {
		g.warn("setting "+s.Key, setSysctl(s))
	}
	g.ownSysctls()
	nl.up("lo", loopback, 0)
	for _, i := range g.machine.Interfaces {
		nl.configure(i)
	}
	for _, err := range nl.flush() {
		g.warn("setting up the network", err)
	}
}

const loopback = 1 // lo's index in every network namespace

// configure queues what i asks for.
func (n *netlink) configure(i agent.Interface) {
	index, err := n.index(i.Name)
	if err != nil {
		n.fail("interface "+i.Name, err)
		return
	}
	if i.Down {
		if i.MTU != 0 {
			n.link(i.Name, index, 0, 0, i.MTU)
		}
	} else {
		n.up(i.Name, index, i.MTU)
	}
	for _, a := range i.Addresses {
		if err := n.address(i.Name, index, a); err != nil {
			n.fail("address "+a+" of "+i.Name, err)
		}
	}
	if i.Gateway != "" && !i.Down {
		if err := n.gateway(i.Name, index, i.Gateway); err != nil {
			n.fail("gateway "+i.Gateway+" of "+i.Name, err)
		}
	}
}

// ifreq is the kernel's struct ifreq, as far as it is used here.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func newIfreq(name string) (*ifreq, error) {
	var r ifreq
	if name == "" || len(name) >= len(r.name) || strings.ContainsAny(name, "/ \x00") {
		return nil, syscall.EINVAL
	}
	copy(r.name[:], name)
	return &r, nil
}

func (n *netlink) ioctl(request uintptr, r *ifreq) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(n.fd), request, uintptr(unsafe.Pointer(r)))
	if errno != 0 {
		return errno
	}
	return nil
}

func (n *netlink) rename(from, to string) error {
	r, err := newIfreq(from)
	if err != nil {
		return err
	}
	name, err := newIfreq(to)
	if err != nil {
		return err
	}
	copy(r.data[:], name.name[:])
	return n.ioctl(unix.SIOCSIFNAME, r)
}

func (n *netlink) index(name string) (int32, error) {
	r, err := newIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := n.ioctl(unix.SIOCGIFINDEX, r); err != nil {
		return 0, err
	}
	return *(*int32)(unsafe.Pointer(&r.data)), nil
}

// setSysctl writes net.ipv4.ip_forward to /proc/sys/net/ipv4/ip_forward. As
// with sysctl(8), a name with a dot in it (eth0.5) is written with slashes
// elsewhere: net/ipv4/conf/eth0.5/forwarding.
func setSysctl(s agent.Sysctl) error {
	path := s.Key
	if !strings.Contains(path, "/") {
		path = strings.ReplaceAll(path, ".", "/")
	}
	if strings.Contains(path, "..") {
		return syscall.EINVAL
	}
	fd, err := syscall.Open("/proc/sys/"+path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	_, err = syscall.Write(fd, []byte(s.Value+"\n"))
	return err
}

// writeFile makes the folders above a file and writes it.
func writeFile(path string, mode uint32, data []byte) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, mode)
	if err == syscall.ENOENT {
		if at := strings.LastIndexByte(path, '/'); at > 0 {
			if err := os.MkdirAll(path[:at], 0o755); err != nil {
				return err
			}
		}
		fd, err = syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, mode)
	}
	if err != nil {
		return err
	}
	for len(data) > 0 {
		n, err := syscall.Write(fd, data)
		if err != nil {
			syscall.Close(fd)
			return err
		}
		data = data[n:]
	}
	// What was there before keeps its mode, and umask lowers a new one's.
	if err := syscall.Fchmod(fd, mode&0o7777); err != nil {
		syscall.Close(fd)
		return err
	}
	return syscall.Close(fd)
}
