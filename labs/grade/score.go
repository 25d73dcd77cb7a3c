package grade

import "math"

// Sum adds the results up into Points, Worth and Errors.
func (r *Report) Sum() {
	r.Points, r.Worth, r.Errors = 0, 0, 0
	for i := range r.Results {
		c := &r.Results[i]
		if c.Outcome == Error {
			r.Errors++
			continue
		}
		r.Points += c.Points
		r.Worth += c.Worth
	}
	r.Points, r.Worth = round(r.Points), round(r.Worth)
}

// Score is the report as points out of all that the lab gives. A check that
// could not be judged costs nothing: of what could be judged the student has a
// share, and the score is the same share of the whole. With 6 of 8 points, and
// 2 that could not be judged, it is 7.5 of 10. When Errors is not 0 the score is
// for somebody to look at, since it may change once all can be judged. ok is
// false when there are points and none could be judged: there is no score then.
func (r *Report) Score() (score, of float64, ok bool) {
	for i := range r.Results {
		of += r.Results[i].Worth
	}
	of = round(of)
	switch {
	case r.Worth > 0:
		return round(r.Points / r.Worth * of), of, true
	case of > 0:
		return 0, of, false
	}
	return 0, 0, true
}

// round takes off what adding up fractions leaves; a score is good to a
// thousandth.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// Passed says whether every check passed; no check at all is no pass.
func (r *Report) Passed() bool {
	for i := range r.Results {
		if r.Results[i].Outcome != Pass {
			return false
		}
	}
	return len(r.Results) > 0
}

// Seen is the report as a student may see it: without the checks that are for
// staff, and, until the assignment is due, without those that show then. The
// points count only what is left, so that they tell nothing of the others.
func (r *Report) Seen(due bool) *Report {
	out := *r
	out.Results = nil
	for _, c := range r.Results {
		if c.Visible == Never || c.Visible == After && !due {
			continue
		}
		if c.Outcome == Error { // how we failed is for staff
			c.Seen, c.Evidence = "It could not be judged; this is not your fault, and costs no points", nil
		}
		out.Results = append(out.Results, c)
	}
	out.Sum()
	return &out
}
