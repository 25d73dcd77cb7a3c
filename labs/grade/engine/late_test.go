package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
	"github.com/patchbay/patchbay/vnet/offload"
	"github.com/patchbay/patchbay/vnet/record"
)

// slow is a Target with one node, whose programs take longer to begin than
// frames are watched, and then send a frame with their last word, unless mute.
type slow struct {
	*place
	ring *record.Ring
	wait time.Duration
	mute bool
}

func (s *slow) Topology() *labs.Topology {
	return &labs.Topology{Nodes: []labs.Node{{Name: "pc1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}}}}}
}
func (s *slow) Node(string) (engine.Node, error) { return s, nil }
func (s *slow) Ring() *record.Ring               { return s.ring }

func (s *slow) Verify(_ context.Context, v agent.Exec) (agent.ExecResult, error) {
	time.Sleep(s.wait)
	if !s.mute {
		frame := append(make([]byte, 60), v.Args[len(v.Args)-1]...)
		s.ring.Frame(s.ring.Now(), s.ring.Port("pc1/eth0", "lan"), offload.Header{}, frame)
		s.ring.Publish()
	}
	return agent.ExecResult{}, nil
}

// TestLateFrame: what must not be seen is watched for until its cause is done,
// however long that takes to begin.
func TestLateFrame(t *testing.T) {
	for _, mute := range []bool{false, true} {
		ring, err := record.New(record.Options{Size: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		s := &slow{place: &place{on: map[string]int{}}, ring: ring, wait: 300 * time.Millisecond, mute: mute}
		c := check("unseen", func(c *grade.Check) {
			c.For = 50 * time.Millisecond
			c.Kinds = grade.Kinds{Frames: &grade.Frames{On: "pc1/eth0", Contains: []string{"{nonce}"}, Max: new(int),
				Cause: &grade.Cause{Node: "pc1", Run: []string{"say", "{nonce}"}}}}
		})
		r, err := engine.Run(t.Context(), s, []grade.Check{c}, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Passed() != mute {
			t.Errorf("with a cause that is mute: %v, the results are %+v", mute, r.Results)
		}
		if err := ring.Close(); err != nil {
			t.Error(err)
		}
	}
}
