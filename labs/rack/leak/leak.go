// Package leak looks in one student's lab for what belongs to another: their
// addresses and MACs in the headers of frames, their secrets in what frames
// carry and in what is typed and shown on consoles. Each is reported once.
//
// What it finds is a hint for a person, not a proof: a student may have been
// shown a screen, or have guessed. It finds no secret that is encrypted, packed
// or cut in two by the borders of frames, and under a flood of frames it looks
// at a part of them, and says how many it did not see.
package leak

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Kind says what a Watched is.
type Kind string

// The kinds. Those of package param that are watched have the same names.
const (
	Secret  Kind = "secret"
	Name    Kind = "name"
	Address Kind = "address"
	Network Kind = "network"
	MAC     Kind = "mac"
)

// Watched is a value of another student. Tag is how the one who asked knows
// whose it is; it tells nothing to others.
type Watched struct {
	Tag  string `json:"tag"`
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

// Sighting is the first time that a Watched was seen.
type Sighting struct {
	Tag   string    `json:"tag"`
	Kind  Kind      `json:"kind"`
	Time  time.Time `json:"time"`
	Where string    `json:"where"` // NODE/INTERFACE, or a node's console
	How   string    `json:"how"`   // "source address", "payload", "typed", …
}

// MaxWatched is how many values are looked for in one lab: 2000 students with
// ten each.
const MaxWatched = 20_000

// minText is the length of the shortest text that is looked for.
const minText = 8

// set is what is looked for now. It is not changed.
type set struct {
	watched   []Watched
	addresses map[netip.Addr]int
	networks  map[netip.Prefix]int
	lengths4  []int // of networks, to ask the map for each
	lengths6  []int
	macs      map[[6]byte]int
	payload   *words // secrets and names
	console   *words // those, and addresses as text
}

// newSet leaves out what is in own: a student's own network is no leak, whoever
// else has it. What makes no sense is left out, too.
func newSet(all []Watched, own []netip.Prefix) *set {
	s := &set{
		watched:   all[:min(len(all), MaxWatched)],
		addresses: map[netip.Addr]int{}, networks: map[netip.Prefix]int{}, macs: map[[6]byte]int{},
		payload: newWords(), console: newWords(),
	}
	mine := func(p netip.Prefix) bool {
		for _, o := range own {
			if o.Overlaps(p) {
				return true
			}
		}
		return false
	}
	for i, w := range s.watched {
		switch w.Kind {
		case Secret, Name:
			s.payload.add(w.Text, i, w.Kind == Name)
			s.console.add(w.Text, i, w.Kind == Name)
		case Address:
			a, err := netip.ParseAddr(w.Text)
			if err != nil || mine(netip.PrefixFrom(a, a.BitLen())) {
				continue
			}
			s.addresses[a] = i
			s.console.add(w.Text, i, true)
		case Network:
			p, err := netip.ParsePrefix(w.Text)
			if err != nil || mine(p) {
				continue
			}
			s.addNetwork(p.Masked(), i)
			s.console.add(p.Masked().String(), i, true)
		case MAC:
			if hw, err := net.ParseMAC(w.Text); err == nil && len(hw) == 6 {
				s.macs[[6]byte(hw)] = i
				s.console.add(hw.String(), i, true)
			}
		}
	}
	return s
}

func (s *set) addNetwork(p netip.Prefix, i int) {
	s.networks[p] = i
	lengths := &s.lengths6
	if p.Addr().Is4() {
		lengths = &s.lengths4
	}
	for _, l := range *lengths {
		if l == p.Bits() {
			return
		}
	}
	*lengths = append(*lengths, p.Bits())
}

// address finds whose an address is.
func (s *set) address(a netip.Addr) (i int, ok bool) {
	if i, ok = s.addresses[a]; ok {
		return i, true
	}
	lengths := s.lengths6
	if a.Is4() {
		lengths = s.lengths4
	}
	for _, l := range lengths {
		if p, err := a.Prefix(l); err == nil {
			if i, ok = s.networks[p]; ok {
				return i, true
			}
		}
	}
	return 0, false
}

// Watcher looks for what belongs to others, and remembers what it saw in a
// file. Safe for concurrent use.
type Watcher struct {
	file   string
	own    []netip.Prefix
	set    atomic.Pointer[set] // nil: nothing is looked for
	given  chan struct{}       // gets something when set has changed
	missed atomic.Uint64
	failed func(error)

	mu   sync.Mutex
	seen map[string]bool // guarded by mu: tags
	list []Sighting      // guarded by mu
}

// New makes a Watcher whose sightings are kept in file. own are the networks of
// the lab itself. failed is told when a sighting could not be written.
func New(file string, own []netip.Prefix, failed func(error)) (*Watcher, error) {
	w := &Watcher{file: file, own: own, given: make(chan struct{}, 1), failed: failed, seen: map[string]bool{}}
	before, err := Read(file)
	if err != nil {
		return nil, err
	}
	for _, s := range before {
		w.seen[s.Tag] = true
	}
	w.list = before
	return w, nil
}

// Read reads the sightings that a Watcher kept in file; none when there is no file.
func Read(file string) ([]Sighting, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading sightings: %w", err)
	}
	defer f.Close()
	var all []Sighting
	for d := json.NewDecoder(io.LimitReader(f, 16<<20)); ; {
		var s Sighting
		if err := d.Decode(&s); err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return all, nil // the last line was cut off when the machine went down
		} else if err != nil {
			return nil, fmt.Errorf("reading sightings: %w", err)
		}
		all = append(all, s)
	}
}

// Set says what is looked for from now on.
func (w *Watcher) Set(all []Watched) {
	if len(all) == 0 {
		w.set.Store(nil)
		return
	}
	w.set.Store(newSet(all, w.own))
	select {
	case w.given <- struct{}{}:
	default:
	}
}

// Sightings lists what was seen so far, the first one first.
func (w *Watcher) Sightings() []Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Sighting{}, w.list...)
}

// Missed is how many frames were not looked at.
func (w *Watcher) Missed() uint64 { return w.missed.Load() }

// saw reports number i of s, unless it was reported.
func (w *Watcher) saw(s *set, i int, at time.Time, where, how string) {
	x := &s.watched[i]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[x.Tag] {
		return
	}
	w.seen[x.Tag] = true
	g := Sighting{Tag: x.Tag, Kind: x.Kind, Time: at.UTC(), Where: where, How: how}
	w.list = append(w.list, g)
	if err := w.keep(g); err != nil {
		w.failed(err)
	}
}

// keep appends a sighting to the file, in one write.
func (w *Watcher) keep(g Sighting) error {
	line, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("keeping a sighting: %w", err)
	}
	f, err := os.OpenFile(w.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keeping a sighting: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keeping a sighting: %w", err)
	}
	return nil
}
