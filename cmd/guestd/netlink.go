package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// netlink gathers route messages and sends them in one go: a system call costs
// more than the kernel's work for the message.
type netlink struct {
	fd     int
	buf    []byte   // messages, each with NLM_F_ACK
	doing  []string // what message seq i+1 is for
	failed []error  // before sending
}

func openNetlink() (*netlink, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &netlink{fd: fd}, nil
}

func (n *netlink) close() { syscall.Close(n.fd) }

func (n *netlink) fail(doing string, err error) { n.failed = append(n.failed, wrap(doing, err)) }

var host = binary.NativeEndian

// message starts one; end closes it.
func (n *netlink) message(kind, flags uint16, doing string) (start int) {
	n.doing = append(n.doing, doing)
	start = len(n.buf)
	n.buf = host.AppendUint32(n.buf, 0)
	n.buf = host.AppendUint16(n.buf, kind)
	n.buf = host.AppendUint16(n.buf, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	n.buf = host.AppendUint32(n.buf, uint32(len(n.doing)))
	n.buf = host.AppendUint32(n.buf, 0)
	return start
}

func (n *netlink) end(start int) { host.PutUint32(n.buf[start:], uint32(len(n.buf)-start)) }

func (n *netlink) attr(kind uint16, value []byte) {
	n.buf = host.AppendUint16(n.buf, uint16(4+len(value)))
	n.buf = host.AppendUint16(n.buf, kind)
	n.buf = append(n.buf, value...)
	for len(n.buf)%4 != 0 {
		n.buf = append(n.buf, 0)
	}
}

func (n *netlink) attr32(kind uint16, value uint32) {
	n.attr(kind, host.AppendUint32(nil, value))
}

// link sets an interface's flags and, unless 0, its MTU.
func (n *netlink) link(name string, index int32, flags, change uint32, mtu int) {
	at := n.message(unix.RTM_NEWLINK, 0, "interface "+name)
	n.buf = append(n.buf, unix.AF_UNSPEC, 0, 0, 0)
	n.buf = host.AppendUint32(n.buf, uint32(index))
	n.buf = host.AppendUint32(n.buf, flags)
	n.buf = host.AppendUint32(n.buf, change)
	if mtu != 0 {
		n.attr32(unix.IFLA_MTU, uint32(mtu))
	}
	n.end(at)
}

func (n *netlink) up(name string, index int32, mtu int) {
	n.link(name, index, unix.IFF_UP, unix.IFF_UP, mtu)
}

// address adds one such as 10.0.0.1/24.
func (n *netlink) address(name string, index int32, cidr string) error {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return err
	}
	ip := p.Addr().AsSlice()
	at := n.message(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "address "+cidr+" of "+name)
	n.buf = append(n.buf, family(p.Addr()), byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE)
	n.buf = host.AppendUint32(n.buf, uint32(index))
	n.attr(unix.IFA_LOCAL, ip)
	n.attr(unix.IFA_ADDRESS, ip)
	if p.Addr().Is4() && p.Bits() < 31 {
		brd := p.Masked().Addr().As4()
		host := uint32(1)<<(32-p.Bits()) - 1
		binary.BigEndian.PutUint32(brd[:], binary.BigEndian.Uint32(brd[:])|host)
		n.attr(unix.IFA_BROADCAST, brd[:])
	}
	n.end(at)
	return nil
}

// gateway adds a default route.
func (n *netlink) gateway(name string, index int32, via string) error {
	ip, err := netip.ParseAddr(via)
	if err != nil {
		return err
	}
	at := n.message(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "gateway "+via+" of "+name)
	n.buf = append(n.buf, family(ip), 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST)
	n.buf = host.AppendUint32(n.buf, 0)
	n.attr(unix.RTA_GATEWAY, ip.AsSlice())
	n.attr32(unix.RTA_OIF, uint32(index))
	n.end(at)
	return nil
}

func family(ip netip.Addr) byte {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// flush sends what was gathered and returns what went wrong.
func (n *netlink) flush() []error {
	failed := n.failed
	// The kernel takes messages together but its own answers must fit our
	// socket's buffer (208 KiB): fewer than 100 messages at a time do.
	for sent := 0; sent < len(n.doing); {
		size, count := 0, 0
		for size < len(n.buf) && count < 100 {
			size += (int(host.Uint32(n.buf[size:])) + 3) &^ 3
			count++
		}
		if err := syscall.Sendto(n.fd, n.buf[:size], 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			return append(failed, err)
		}
		n.buf = n.buf[size:]
		sent += count
		failed = append(failed, n.answers(sent)...)
	}
	return failed
}

// answers reads acknowledgements up to the one for message number last.
func (n *netlink) answers(last int) (failed []error) {
	buf := make([]byte, 8192)
	for {
		got, _, err := syscall.Recvfrom(n.fd, buf, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return append(failed, err)
		}
		for b := buf[:got]; len(b) >= 20; {
			size := int(host.Uint32(b))
			if size < 20 || size > len(b) || host.Uint16(b[4:]) != unix.NLMSG_ERROR {
				return append(failed, errors.New("the kernel's answer makes no sense"))
			}
			seq := int(host.Uint32(b[8:]))
			if errno := -int32(host.Uint32(b[16:])); errno != 0 && seq >= 1 && seq <= len(n.doing) {
				failed = append(failed, wrap(n.doing[seq-1], syscall.Errno(errno)))
			}
			if seq >= last {
				return failed
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}
