// Package guest runs one User-mode Linux guest: it builds the kernel's command
// line, puts the process into its jail, holds its consoles, speaks to its
// mconsole and to its guestd, and reports how it ended. It knows nothing of
// switches or labs; a network interface is the path of a socket.
package guest

import (
	"log/slog"
	"os"

	"github.com/patchbay/patchbay/guest/agent"
)

// Config says what to start. Paths are the host's; the jail shows the guest's
// kernel process only what is named here.
type Config struct {
	Name    string        // for messages
	Dir     string        // the guest's own folder, made by the caller, used for sockets and nothing kept
	Kernel  Kernel        // what to execute
	Initrd  string        // cpio archive with guestd as /init
	Image   Disk          // root file system, read-only
	Disk    Disk          // the student's disk, read-write
	Memory  int64         // bytes
	CPU     int           // the one CPU to run on; -1 leaves it to the host
	Seccomp bool          // seccomp=on: faster, but no root/user border inside the guest
	NICs    []NIC         // vec0, vec1, …
	Lines   int           // how many consoles, con0 …; 1 to 16
	UID     int           // host uid to run as when root starts it, 0 for nobody's (65534); anybody else's guests run as themselves
	Jail    Jail          // how to lock it in
	Machine agent.Machine // what guestd is told; Root, Disk, Modules and Interfaces[].Vec are filled in by Boot
	Log     *slog.Logger  // nil discards
}

// Kernel is an executable UML kernel and what it needs to run.
type Kernel struct {
	Name    string   // "patchbay-7.3.4", "debian-6.1"
	Path    string   // the executable
	Libs    []string // host paths of the loader and libraries it needs; none for a static one
	Modules Disk     // an image with /lib/modules/VERSION's content; no Path for a kernel without modules
	Seccomp bool     // whether it knows seccomp=
	Offload bool     // whether its interfaces can be told to begin each datagram with a virtio_net_hdr, and are
	Carrier bool     // whether its interfaces heed a datagram of one byte: 0 for no carrier, 1 for one
	Args    []string // further words for its command line, such as lpj=
}

// Disk is a file that a guest sees as a block device.
type Disk struct {
	Path string // host path
	Type string // squashfs, erofs, ext4
}

// NIC is one network interface. Each datagram on its socket is one Ethernet
// frame. With a kernel that has Offload a struct virtio_net_hdr of 10 bytes
// comes before the frame, both ways, little endian, and what is behind a TCP
// header may be up to 64 KiB for the other side to cut.
type NIC struct {
	MAC    string // 02:…
	Socket string // host path of a listening SOCK_SEQPACKET unix socket
	MTU    int    // the largest that the interface will be set to, bytes; 0 means 1500, at most 9000
	Depth  int    // frames per batch and ring; 0 means the default

	// Pair, for measurements alone, is used in place of Socket: one end of a
	// pair of SOCK_SEQPACKET sockets, of which Start takes a copy. Two guests
	// on one pair have nothing between them. The interface does not survive
	// being set down: the kernel closes the socket for good.
	Pair *os.File
}
