package guest

import (
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
)

// view is what a guest's kernel process sees: the names of its files and the
// numbers of its descriptors. In a jail the names are the jail's own, without
// one they are the host's.
type view struct {
	kernel  string   // the executable, argv[0]
	initrd  string   // cpio archive
	image   string   // block device 0, read-only
	disk    string   // block device 1, read-write; empty for none
	modules string   // block device 2, read-only; empty for none
	nets    []string // sockets to connect to, vec0 …; empty for those that have a pair
	pairs   []int    // descriptors of the interfaces with a pair, in their order
	scratch string   // a folder on tmpfs that it may write to and execute from
	notify  string   // datagram socket for the kernel's own messages
	lines   []int    // descriptors of con0 …
	agent   int      // descriptor of ssl0
}

// The names of a view's block devices inside the guest.
const (
	rootDevice    = "/dev/ubda"
	diskDevice    = "/dev/ubdb"
	modulesDevice = "/dev/ubdc"
)

// umid names the guest towards itself: its mconsole lies in scratch/umid/.
// Fixed, because each guest has a scratch folder of its own.
const umid = "uml"

// maxLines is how many consoles the kernel has, con0 to con15.
const maxLines = 16

// maxNICs bounds the interfaces of one guest: more than any lab draws, and the
// command line stays below the kernel's 4096 bytes.
const maxNICs = 32

// plainDepth is how many frames an interface takes in one go. 64 frames of
// 1.5 kB cost the guest 0.3 MiB for both rings.
const plainDepth = 64

// offloadDepth is plainDepth for an interface whose receive buffers hold 64 KiB.
// What it costs the guest, idle and after 64 MiB of TCP each way (patchbay bench
// memory --interfaces): 8 0.12 and 0.25 MiB, 16 0.14 and 0.5, 32 0.19 and 0.5,
// 64 0.3 and 0.6, since a buffer that no burst reached is never touched. If one
// reaches them all, 16 cost 1 MiB. Neither throughput nor the processor time for
// a byte is better with more.
const offloadDepth = 16

// The MTU that every interface can be set to, and the largest of all.
const (
	usualMTU = 1500
	maxMTU   = 9000
)

// maxSocketPath is the longest name the kernel's sockaddr_un holds.
const maxSocketPath = 107

// maxCommandLine is the kernel's COMMAND_LINE_SIZE on this architecture.
const maxCommandLine = 4096

// minMemory is refused below: the kernel image itself takes 16 MiB of the
// guest's memory, and it exits before its console exists when none is left.
const minMemory = 1 << 20

// commandLine builds the words that the kernel is executed with, argv[0]
// included. It looks at nothing but its arguments.
func commandLine(c *Config, v view) ([]string, error) {
	if c.Memory < minMemory {
		return nil, fmt.Errorf("a memory of %d bytes is less than the least of %d", c.Memory, minMemory)
	}
	if len(v.lines) < 1 || len(v.lines) > maxLines {
		return nil, fmt.Errorf("%d consoles: a guest has 1 to %d", len(v.lines), maxLines)
	}
	if len(c.NICs) > maxNICs {
		return nil, fmt.Errorf("%d interfaces: a guest has at most %d", len(c.NICs), maxNICs)
	}
	if len(v.nets) != len(c.NICs) {
		return nil, fmt.Errorf("%d sockets for %d interfaces", len(v.nets), len(c.NICs))
	}
	if c.Seccomp && !c.Kernel.Seccomp {
		return nil, fmt.Errorf("the kernel %s has no seccomp mode: use ptrace mode or another kernel", c.Kernel.Name)
	}

	w := words{}
	w.file("", v.kernel)
	w.add("mem=%dK", c.Memory>>10)
	w.file("initrd=", v.initrd)
	// Everything starts from the initrd. Without a root of its own the kernel
	// would try the image when the initrd has no /init, and find a shell there.
	w.add("root=none")
	w.add("quiet")
	// A guest that reboots ends: whoever started it decides what comes next.
	w.add("noreboot")
	w.file("uml_dir=", v.scratch)
	w.add("umid=%s", umid)
	w.socket("mconsole=notify:", v.notify)
	// The lines that are not ours open the host's /dev/null when somebody in
	// the guest opens them. In a jail there is none, so that they answer
	// ENOENT; "none" would say it better, but complains about each at boot.
	w.add("con=null")
	w.add("ssl=null")
	for i, fd := range v.lines {
		w.add("con%d=fd:%d", i, fd)
	}
	w.add("ssl0=fd:%d", v.agent)
	w.file("ubd0r=", v.image)
	if v.disk != "" {
		w.file("ubd1=", v.disk)
	}
	if v.modules != "" {
		w.file("ubd2r=", v.modules)
	}
	pairs := v.pairs
	if n := c.pairCount(); n != len(pairs) {
		return nil, fmt.Errorf("%d descriptors for %d interfaces with a pair", len(pairs), n)
	}
	for i, nic := range c.NICs {
		options, err := nicOptions(nic, c.Kernel.Offload)
		if err != nil {
			return nil, fmt.Errorf("interface %d: %w", i, err)
		}
		if nic.Pair != nil {
			w.add("vec%d:transport=fd,%s,fd=%d", i, options, pairs[0])
			pairs = pairs[1:]
			continue
		}
		w.socket(fmt.Sprintf("vec%d:transport=bess,%s,dst=", i, options), v.nets[i])
	}
	if c.Kernel.Seccomp {
		w.add("seccomp=%s", map[bool]string{true: "on", false: "off"}[c.Seccomp])
	}
	for _, a := range c.Kernel.Args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, fmt.Errorf("the kernel's argument %q is not one printable word", a)
		}
		w.add("%s", a)
	}
	return w.done()
}

// nicOptions are the driver's options for an interface, all but its transport.
func nicOptions(nic NIC, offload bool) (string, error) {
	mac, err := checkMAC(nic.MAC)
	if err != nil {
		return "", err
	}
	depth := nic.Depth
	switch {
	case depth == 0 && offload:
		depth = offloadDepth
	case depth == 0:
		depth = plainDepth
	case depth < 1 || depth > 1024:
		return "", fmt.Errorf("a depth of %d frames is not within 1 to 1024", depth)
	}
	if nic.MTU < 0 || nic.MTU > maxMTU {
		return "", fmt.Errorf("an MTU of %d bytes is not within 0 to %d", nic.MTU, maxMTU)
	}
	s := fmt.Sprintf("mac=%s,depth=%d", mac, depth)
	if offload {
		s += ",vnet=1"
	}
	// Without offload the driver's receive buffers are made for this MTU, and
	// it cannot be set above it later. A smaller one is guestd's to set.
	if nic.MTU > usualMTU {
		s += fmt.Sprintf(",mtu=%d", nic.MTU)
	}
	return s, nil
}

// words collects a command line and its mistakes.
type words struct {
	list []string
	errs []error
}

func (w *words) add(format string, args ...any) {
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

// file adds a word that ends in an absolute path. The kernel's own parsers
// know no quoting: a comma or colon ends a block device's name, a space a word.
func (w *words) file(key, p string) {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsFunc(p, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`,:"'\`, r)
	}) {
		w.errs = append(w.errs, fmt.Errorf("the path %q cannot stand on a kernel's command line: it must be absolute and hold no space, comma, colon, quote or character beyond ASCII", p))
	}
	w.list = append(w.list, key+p)
}

// socket is file for a name that must fit into a socket's address.
func (w *words) socket(key, p string) {
	if len(p) > maxSocketPath {
		w.errs = append(w.errs, fmt.Errorf("the socket path %q has %d bytes, more than the %d that fit", p, len(p), maxSocketPath))
	}
	w.file(key, p)
}

func (w *words) done() ([]string, error) {
	n := 0
	for _, s := range w.list {
		n += len(s) + 1
	}
	if n > maxCommandLine {
		w.errs = append(w.errs, fmt.Errorf("a kernel command line of %d bytes is longer than the %d that the kernel keeps", n, maxCommandLine))
	}
	if err := errors.Join(w.errs...); err != nil {
		return nil, err
	}
	return w.list, nil
}

// checkMAC returns s in the one spelling that the kernel reads.
func checkMAC(s string) (string, error) {
	mac, err := net.ParseMAC(s)
	switch {
	case err != nil || len(mac) != 6:
		return "", fmt.Errorf("%s is not a MAC address such as 02:00:00:00:00:01", strconv.Quote(s))
	case mac[0]&1 != 0:
		return "", fmt.Errorf("the MAC address %s is a group's: the first byte must be even", mac)
	case [6]byte(mac) == [6]byte{}:
		return "", errors.New("the MAC address 00:00:00:00:00:00 is nobody's")
	}
	return mac.String(), nil
}
