package grade

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements that CI servers read, in the order that their schema asks for.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []junitSuite
	}
	junitSuite struct {
		XMLName    xml.Name        `xml:"testsuite"`
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string     `xml:"name,attr"`
		ClassName string     `xml:"classname,attr"`
		Time      string     `xml:"time,attr"`
		Skipped   *junitWhy  `xml:"skipped"`
		Error     *junitWhy  `xml:"error"`
		Failure   *junitWhy  `xml:"failure"`
		Out       *junitText `xml:"system-out"`
	}
	junitWhy struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
	junitText struct {
		Text string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a suite for the lab, a case for
// each check, in a class named LAB.TRUST.KIND.
func (r *Report) WriteJUnit(w io.Writer) error {
	score, of, _ := r.Score()
	s := junitSuite{
		Name: r.Lab, Tests: len(r.Results), Time: seconds(r.Took),
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"boot", string(r.Boot)}, {"digest", r.Digest}, {"score", number(score)}, {"of", number(of)},
		},
	}
	for i := range r.Results {
		c := &r.Results[i]
		one := junitCase{Name: c.name(), ClassName: fmt.Sprintf("%s.%s.%s", r.Lab, c.Trust, c.Kind), Time: seconds(c.Took)}
		why := &junitWhy{Message: c.Seen, Type: c.Kind, Text: c.Text()}
		switch c.Outcome {
		case Pass:
			one.Out = &junitText{c.Text()}
		case Skipped:
			s.Skipped++
			why.Type, why.Text = "", ""
			one.Skipped = why
		case Error:
			s.Errors++
			one.Error = why
		default:
			s.Failures++
			one.Failure = why
		}
		s.Cases = append(s.Cases, one)
	}
	all := junitSuites{Name: "patchbay", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Time: s.Time, Suites: []junitSuite{s}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// name is the check's title, or its name where it has none.
func (c *Result) name() string {
	if c.Title == "" {
		return c.Check
	}
	return c.Title
}

// Text is what a person is told of a result: what was expected, what was seen,
// where to look, a hint; a line each.
func (c *Result) Text() string {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", what, text)
		}
	}
	line("Expected", c.Expected)
	line("Seen", c.Seen)
	if c.Outcome != Pass {
		line("Look at", c.Look)
		line("Hint", c.Hint)
	}
	line("Doubt", c.Doubt)
	return strings.TrimSuffix(b.String(), "\n")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// number writes points: no more digits than they have.
func number(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", x), "0"), ".")
}
