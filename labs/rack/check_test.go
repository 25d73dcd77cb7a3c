package rack_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// TestCheck: results come one by one and then the report, what makes no sense is
// refused, and a node that is off fails.
func TestCheck(t *testing.T) {
	b := serve(t, twoHosts(), newWorld())
	if _, err := b.client.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Do(t.Context(), rack.Op{Do: "stop", Node: "pc2"}); err != nil {
		t.Fatal(err)
	}
	q := &rack.CheckRequest{Lab: "lab", Digest: "1234", Checks: []grade.Check{
		{Name: "a", Title: "a", Points: 2, Within: time.Millisecond, Kinds: grade.Kinds{Sysctl: &grade.Sysctl{Node: "pc2", Key: "net.ipv4.ip_forward", Value: []string{"1"}}}},
		{Name: "b", Title: "b", Points: 1, Needs: []string{"a"}, Kinds: grade.Kinds{Sysctl: &grade.Sysctl{Node: "pc1", Key: "net.ipv4.ip_forward", Value: []string{"1"}}}},
	}}
	var told []string
	r, err := b.client.Check(t.Context(), q, func(c grade.Result) { told = append(told, c.Check) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{"a", "b"}) {
		t.Errorf("progress told of %q", told)
	}
	if r.Lab != "lab" || r.Digest != "1234" || r.Boot != grade.Live || len(r.Results) != 2 || r.Points != 0 || r.Worth != 3 {
		t.Errorf("the report is %+v", r)
	}
	if c := r.Results[0]; c.Outcome != grade.Fail || c.Seen != "pc2 does not run: it is off" {
		t.Errorf("of a node that is off: %s, %q", c.Outcome, c.Seen)
	}
	if c := r.Results[1]; c.Outcome != grade.Skipped {
		t.Errorf("what needs it: %s", c.Outcome)
	}
	_, err = b.client.Check(t.Context(), &rack.CheckRequest{Boot: "warm"}, nil)
	refused(t, err, http.StatusBadRequest, "warm")
	q.Checks[0].Needs = []string{"b"}
	if _, err := b.client.Check(t.Context(), q, nil); err == nil {
		t.Error("checks that need each other were carried out")
	}
}
