package rack

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"

	"github.com/patchbay/patchbay/labs"
)

// A rack's folder:
//
//	rack.json            the Spec
//	lock                 held by the rack's process for as long as it lives
//	sock                 the API, while the process lives
//	leaks                what of other students was seen in it
//	log                  what the process had to say
//	nodes/NAME/disk.ext4 the student's work
//	nodes/NAME/net/      one socket per interface
//	nodes/NAME/run/      the guest's own, gone when it stops
const (
	specFile  = "rack.json"
	lockFile  = "lock"
	sockFile  = "sock"
	leaksFile = "leaks"
	// LogFile is the name of the log in a rack's folder.
	LogFile = "log"
)

// Limits of a rack. A topology within them fits the switch, the page and the
// memory of an ordinary server.
const (
	maxNodes      = 64
	maxInterfaces = 32 // per node
	consoleLines  = 8  // con0 … con7, per node
)

var (
	idPattern        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	nodePattern      = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)
	interfacePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$`) // IFNAMSIZ less the final zero
)

// ValidID says whether id can name a rack.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// Check returns what is wrong with a spec, all of it. Names become parts of
// paths, so the check is also what keeps a rack inside its folder.
func (s *Spec) Check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !ValidID(s.ID) {
		wrong("rack id %q: use 1 to 32 of a-z, 0-9 and -, beginning with a letter or digit", s.ID)
	}
	if n := len(s.Topology.Nodes); n == 0 || n > maxNodes {
		wrong("the topology has %d nodes; a rack runs 1 to %d", n, maxNodes)
	}
	segments := map[string]int{}
	for _, g := range s.Topology.Segments {
		if g.Name == "" {
			wrong("a segment has no name")
		}
		if _, twice := segments[g.Name]; twice {
			wrong("segment %q is there twice", g.Name)
		}
		segments[g.Name] = 0
		switch g.Kind {
		case labs.Switch, labs.Hub, labs.Link, labs.Uplink:
		default:
			wrong("segment %q is of the unknown kind %q", g.Name, g.Kind)
		}
	}
	nodes, macs := map[string]bool{}, map[string]string{}
	for i := range s.Topology.Nodes {
		n := &s.Topology.Nodes[i]
		if !nodePattern.MatchString(n.Name) {
			wrong("node name %q: use letters, digits, and - _ . inside", n.Name)
		}
		if nodes[n.Name] {
			wrong("node %q is there twice", n.Name)
		}
		nodes[n.Name] = true
		if n.Mode != "" && n.Mode != "ptrace" && n.Mode != "seccomp" {
			wrong("node %q has the unknown mode %q; use ptrace or seccomp", n.Name, n.Mode)
		}
		if len(n.Interfaces) > maxInterfaces {
			wrong("node %q has %d interfaces; %d are possible", n.Name, len(n.Interfaces), maxInterfaces)
		}
		names := map[string]bool{}
		for _, f := range n.Interfaces {
			if !interfacePattern.MatchString(f.Name) {
				wrong("interface name %q of node %q: use 1 to 15 letters, digits, and - _ . inside", f.Name, n.Name)
			}
			if names[f.Name] {
				wrong("node %q has interface %q twice", n.Name, f.Name)
			}
			names[f.Name] = true
			if _, known := segments[f.Segment]; known {
				segments[f.Segment]++
			} else if f.Segment != "" {
				wrong("interface %q of node %q is on segment %q, which is not there", f.Name, n.Name, f.Segment)
			}
			if f.MAC == "" {
				continue
			}
			if hw, err := net.ParseMAC(f.MAC); err != nil || len(hw) != 6 || hw[0]&1 != 0 {
				wrong("interface %q of node %q: %q is not the address of one Ethernet interface", f.Name, n.Name, f.MAC)
			} else if other, twice := macs[hw.String()]; twice {
				wrong("interface %q of node %q has the address %s of %s", f.Name, n.Name, hw, other)
			} else {
				macs[hw.String()] = fmt.Sprintf("interface %q of node %q", f.Name, n.Name)
			}
		}
	}
	for _, g := range s.Topology.Segments {
		if g.Kind == labs.Link && segments[g.Name] != 2 {
			wrong("segment %q is a link and so joins 2 interfaces, not %d", g.Name, segments[g.Name])
		}
	}
	s.checkWire(wrong)
	return errors.Join(errs...)
}

// mac returns the interface's address: the lab's, or one drawn from the rack,
// the node and the interface, so that it stays the same over restarts and
// differs between students.
func (s *Spec) mac(node string, f *labs.Interface) string {
	if f.MAC != "" {
		hw, _ := net.ParseMAC(f.MAC)
		return hw.String()
	}
	sum := sha256.Sum256([]byte(s.ID + "\x00" + node + "\x00" + f.Name))
	hw := net.HardwareAddr(sum[:6])
	hw[0] = 0x02 // locally administered, one interface
	return hw.String()
}

// seed is what the wire draws from: the lab's, or one of the rack's own that
// stays the same over restarts.
func (s *Spec) seed() uint64 {
	if s.Topology.Seed != 0 {
		return s.Topology.Seed
	}
	sum := sha256.Sum256([]byte(s.ID + "\x00seed"))
	return binary.LittleEndian.Uint64(sum[:])
}

// ReadSpec reads the spec in a rack's folder.
func ReadSpec(dir string) (*Spec, error) {
	data, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return nil, fmt.Errorf("reading the rack's spec: %w", err)
	}
	var s Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, specFile), err)
	}
	return &s, nil
}

// WriteSpec writes the spec into a rack's folder, wholly or not at all.
func WriteSpec(dir string, s *Spec) error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("writing the rack's spec: %w", err)
	}
	f, err := os.CreateTemp(dir, specFile+".*")
	if err != nil {
		return fmt.Errorf("writing the rack's spec: %w", err)
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the rack's spec: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, specFile)); err != nil {
		return fmt.Errorf("writing the rack's spec: %w", err)
	}
	return nil
}
