package grade

import (
	"encoding/json"
	"fmt"
	"io"
)

// gradescope is the results.json that Gradescope's autograder reads.
type gradescope struct {
	Score            float64          `json:"score"`
	ExecutionTime    float64          `json:"execution_time"` // s
	Output           string           `json:"output,omitempty"`
	OutputFormat     string           `json:"output_format"`
	StdoutVisibility string           `json:"stdout_visibility"`
	Tests            []gradescopeTest `json:"tests"`
}

type gradescopeTest struct {
	Score        float64  `json:"score"`
	MaxScore     float64  `json:"max_score"`
	Status       string   `json:"status,omitempty"` // passed or failed; left out where neither is true
	Name         string   `json:"name"`
	NameFormat   string   `json:"name_format"`
	Number       string   `json:"number"`
	Output       string   `json:"output"`
	OutputFormat string   `json:"output_format"`
	Tags         []string `json:"tags"`
	Visibility   string   `json:"visibility"`
}

// WriteGradescope writes the report as Gradescope's results.json. The score is
// that of Score, so that what could not be judged costs nothing; a report
// without a score is an error.
func (r *Report) WriteGradescope(w io.Writer) error {
	score, of, ok := r.Score()
	if !ok {
		return fmt.Errorf("writing results.json: none of the checks of %s could be judged, so there is no score", r.Lab)
	}
	g := gradescope{
		Score: score, ExecutionTime: round(r.Took.Seconds()), OutputFormat: "text",
		StdoutVisibility: "hidden", Tests: []gradescopeTest{},
	}
	if r.Errors > 0 {
		g.Output = fmt.Sprintf("%s could not be judged. The score, %s of %s, is the share of what could be; your instructor will look at it.",
			count(r.Errors, "check"), number(score), number(of))
	}
	for i := range r.Results {
		c := &r.Results[i]
		t := gradescopeTest{
			Score: c.Points, MaxScore: c.Worth, Name: c.name(), NameFormat: "text", Number: fmt.Sprint(i + 1),
			Output: c.Text(), OutputFormat: "text", Tags: []string{c.Kind, string(c.Trust)}, Visibility: "visible",
		}
		switch c.Outcome {
		case Pass:
			t.Status = "passed"
		case Error:
			t.Tags = append(t.Tags, "not judged")
		default:
			t.Status = "failed"
		}
		switch c.Visible {
		case After:
			t.Visibility = "after_due_date"
		case Never:
			t.Visibility = "hidden"
		}
		g.Tests = append(g.Tests, t)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(g); err != nil {
		return fmt.Errorf("writing results.json: %w", err)
	}
	return nil
}

// WriteJSON writes the report as it is.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	return nil
}

// count is "1 check", "2 checks".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
