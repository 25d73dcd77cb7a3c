package grade

import "slices"

// Pair is what a submission is graded by: its checks on the lab as it ran, and
// on a fresh boot of its disks.
type Pair struct {
	Live  *Report `json:"live"`
	Fresh *Report `json:"fresh,omitempty"` // only of the checks that have to survive a boot; nil when there was none
}

// Final is the report that counts. A check that has to survive a fresh boot
// passes if it passed both times: where it failed once it fails, and where one
// time could not be judged and the other did not fail, neither can it. Others
// are as they were on the running lab. Its Seen says which time it was.
func (p Pair) Final() *Report {
	out := *p.Live
	out.Results = slices.Clone(p.Live.Results)
	out.Warnings = slices.Clone(p.Live.Warnings)
	if p.Fresh == nil {
		out.Warnings = append(out.Warnings, "This is the running lab alone: whether it survives a fresh boot was not tried.")
		out.Sum()
		return &out
	}
	out.Took += p.Fresh.Took
	out.Warnings = append(out.Warnings, p.Fresh.Warnings...)
	fresh := p.Fresh.byName()
	for i := range out.Results {
		c := &out.Results[i]
		again, asked := fresh[c.Check]
		if !asked || c.Outcome == Fail || c.Outcome == Skipped || again.Outcome == Pass {
			continue
		}
		switch {
		case again.Outcome != Error:
			if c.Outcome == Pass {
				again.Seen = "It passed on the running lab and not after a fresh boot: " + again.Seen
			}
			again.Took, again.Tries = again.Took+c.Took, again.Tries+c.Tries
			*c = again
		case c.Outcome == Pass:
			again.Seen = "After a fresh boot: " + again.Seen
			*c = again
		}
	}
	out.Sum()
	return &out
}

// Lost names the checks that passed on the running lab and not after a fresh
// boot, in the lab's order: what was set up and not made to stay.
func (p Pair) Lost() []string {
	if p.Fresh == nil {
		return nil
	}
	fresh := p.Fresh.byName()
	var lost []string
	for _, c := range p.Live.Results {
		again, asked := fresh[c.Check]
		if asked && c.Outcome == Pass && (again.Outcome == Fail || again.Outcome == Skipped) {
			lost = append(lost, c.Check)
		}
	}
	return lost
}

func (r *Report) byName() map[string]Result {
	m := make(map[string]Result, len(r.Results))
	for _, c := range r.Results {
		m[c.Check] = c
	}
	return m
}
