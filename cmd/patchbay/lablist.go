package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/coursemap"
)

type labListCmd struct {
	Topic  string `help:"Only labs of this topic: ${topics}." placeholder:"TOPIC"`
	Search string `help:"Only labs with all of these words in name, title, summary, topic or tags." placeholder:"WORDS"`
	Format string `help:"text or json." enum:"text,json" default:"text"`
}

func (c *labListCmd) Run() error { return c.run(os.Stdout) }

// listedLab is a lab in the JSON of a list.
type listedLab struct {
	Slug       string          `json:"slug"`
	Title      string          `json:"title"`
	Summary    string          `json:"summary"`
	Topic      string          `json:"topic,omitempty"`
	Difficulty labs.Difficulty `json:"difficulty,omitempty"`
	Minutes    int             `json:"minutes,omitempty"`
	Requires   []string        `json:"requires"`
	Tags       []string        `json:"tags"`
	Nodes      int             `json:"nodes"`
}

func (c *labListCmd) run(out io.Writer) error {
	if c.Topic != "" && !slices.Contains(labs.Topics(), c.Topic) {
		return fmt.Errorf("there is no topic %q: topics are %s", c.Topic, strings.Join(labs.Topics(), ", "))
	}
	all, err := catalog.Labs()
	if err != nil {
		return err
	}
	q := coursemap.Query{Topic: c.Topic, Words: c.Search}
	all = slices.DeleteFunc(all, func(l *labs.Lab) bool { return !q.Finds(l) })
	if c.Format == "json" {
		list := make([]listedLab, len(all))
		for i, l := range all {
			list[i] = listedLab{l.Slug, l.Title, l.Summary, l.Topic, l.Difficulty, l.Minutes,
				append([]string{}, l.Requires...), append([]string{}, l.Tags...), len(l.Topology.Nodes)}
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	if len(all) == 0 {
		return fmt.Errorf("no built-in lab is like that; “patchbay lab list” shows all")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAB\tTITLE\tTOPIC\tDIFFICULTY\tTIME\tNODES\tAFTER")
	for _, l := range all {
		minutes := "-"
		if l.Minutes > 0 {
			minutes = fmt.Sprintf("%d min", l.Minutes)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.Slug, l.Title, dash(l.Topic), dash(string(l.Difficulty)), minutes,
			len(l.Topology.Nodes), dash(strings.Join(l.Requires, ", ")))
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
