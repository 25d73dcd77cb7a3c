// Package agent is the conversation between the host and guestd, the first
// process of a guest: the frames on their serial line, the messages in them,
// and the host's side of it (Client). It is linked into guestd as well, so it
// stays small: no encoding/json, no net/http, no fmt where a literal will do.
package agent

// Machine tells guestd what its guest is to be. The host sends it once, when
// guestd has said hello.
type Machine struct {
	Hostname   string
	Root       Device // the image, read-only below the overlay
	Disk       Device // the student's disk, the overlay's upper layer
	Modules    Device // a packed /lib/modules, for kernels that have one
	Interfaces []Interface
	Hosts      []Host   // lines for /etc/hosts, besides localhost and the guest itself
	Files      []File   // written before the startup commands, after the disk's own
	Sysctls    []Sysctl // in order
	Startup    []string // shell commands, in order, output to the first console
	Consoles   int      // how many of con0, con1, … have a line to the host
	TimeNanos  int64    // wall clock, UTC, ns since 1970; 0 leaves the guest's
	Fresh      bool     // the disk has never been used: write Files, run first-boot work

	// Inspect makes a guest that only looks at a disk, over the image that it
	// belongs to: it mounts both read-only and runs nothing of them. Of all else
	// in here only Root and Disk matter then; Client.Look asks.
	Inspect bool
}

// Device is a block device of the guest and what lies on it. A Device without
// a Path is none.
type Device struct {
	Path string // /dev/ubda
	Type string // squashfs, erofs, ext4
}

// Interface is one network interface: the n-th, vecN in the kernel's words.
type Interface struct {
	Vec       int      // index in vecN
	Name      string   // eth0
	MTU       int      // bytes; 0 leaves the kernel's
	Addresses []string // CIDR, v4 and v6; none leaves it to the student
	Gateway   string   // default route, empty for none
	Down      bool     // leave it down at start
}

// Host is a line of /etc/hosts.
type Host struct {
	Address string
	Names   []string
}

// File is written into the guest's root.
type File struct {
	Path string // absolute
	Mode uint32 // permission bits
	Data []byte
}

// Sysctl sets net.ipv4.ip_forward and its like.
type Sysctl struct {
	Key   string // dotted
	Value string
}
