package grade

import "time"

// CSVHeader names the columns of CSVRecord: what the report is of, then a
// column for each check.
func (r *Report) CSVHeader() []string {
	h := []string{"lab", "version", "boot", "started", "score", "of", "not_judged"}
	for i := range r.Results {
		h = append(h, r.Results[i].Check)
	}
	return h
}

// CSVRecord is the report as one line of a table: a check's column has its
// points, and nothing where it could not be judged. Every field is a number, a
// time or a name of few characters, so no spreadsheet takes one for a formula.
func (r *Report) CSVRecord() []string {
	score, of, ok := r.Score()
	shown := number(score)
	if !ok {
		shown = ""
	}
	rec := []string{r.Lab, r.Digest, string(r.Boot), r.Started.UTC().Format(time.RFC3339), shown, number(of), number(float64(r.Errors))}
	for i := range r.Results {
		if r.Results[i].Outcome == Error {
			rec = append(rec, "")
			continue
		}
		rec = append(rec, number(r.Results[i].Points))
	}
	return rec
}
