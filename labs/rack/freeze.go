package rack

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrFrozen says that a rack takes nothing from its owner for now.
var ErrFrozen = errors.New("the lab is frozen")

const maxReason = 500

// FreezeRequest keeps an owner's keys and operations out of a rack, until it is
// thawed. What runs in it goes on, and who looks on sees it.
type FreezeRequest struct {
	Reason string `json:"reason"` // a sentence for the owner
}

// SnapshotRequest copies the disks of all nodes as they are at one time.
type SnapshotRequest struct {
	Dir string `json:"dir"` // a new folder, absolute; its parent is there. It gets NODE.ext4 of every node that was ever started
}

func (r *Rack) handleFreeze(w http.ResponseWriter, q *http.Request) error {
	var f FreezeRequest
	if err := decode(w, q, &f); err != nil {
		return err
	}
	if f.Reason = strings.TrimSpace(f.Reason); f.Reason == "" || len(f.Reason) > maxReason {
		return badQuery("freezing wants a reason of at most %d bytes", maxReason)
	}
	r.freeze(f.Reason)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Rack) handleThaw(w http.ResponseWriter, _ *http.Request) error {
	r.freeze("")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Rack) handleSnapshot(w http.ResponseWriter, q *http.Request) error {
	var s SnapshotRequest
	if err := decode(w, q, &s); err != nil {
		return err
	}
	if err := r.snapshot(q.Context(), s.Dir); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// freeze freezes the rack, or thaws it when there is no reason. It is over with
// the rack's process.
func (r *Rack) freeze(reason string) {
	r.mu.Lock()
	changed := r.frozen != reason
	r.frozen = reason
	r.mu.Unlock()
	if !changed {
		return
	}
	text := "You can go on: the lab takes your keys again."
	if reason != "" {
		text = "The lab takes no keys for now. " + reason
	}
	for _, n := range r.nodes {
		for _, c := range n.consoles {
			if c.wanted() {
				c.notice(text)
			}
		}
	}
	r.touch()
}

// icy is the refusal of a frozen rack, nil of another.
func (r *Rack) icy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen == "" {
		return nil
	}
	return &Explained{Sentence: "The lab is frozen for now. " + r.frozen, Err: fmt.Errorf("%w: %s", ErrFrozen, r.frozen)}
}

// discard takes what a session typed and throws it away.
func (c *console) discard(ch *channel, position int64, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := ch.typist
	if end := position + int64(len(data)); end > t.have {
		t.have = end
		if l := c.line; l == nil || len(l.queue) == 0 {
			t.written = end
		}
	}
	ch.inputDue = true
	ch.wake()
}
