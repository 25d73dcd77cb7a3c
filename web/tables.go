package web

import (
	"encoding/csv"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// table makes CSV of rows, in which no spreadsheet finds a formula.
func table(rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, row := range rows {
		_ = w.Write(each(row, labs.Defused)) // a strings.Builder takes everything
	}
	w.Flush()
	return b.String()
}

// rosterCSV writes entries so that ReadRoster reads the same ones.
func rosterCSV(entries []labs.RosterEntry) string {
	rows := [][]string{{"login", "name", "email", "section"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Login, strings.ReplaceAll(e.Name, ",", " "), e.Email, e.Section})
	}
	return table(rows)
}

// gradebookCSV is a course's grades as Canvas takes them, and most others:
// columns of the student, then one for each assignment. The second line says
// what full marks are.
func gradebookCSV(g *gradebook) string {
	header := []string{"Student", "ID", "SIS User ID", "SIS Login ID", "Section"}
	worth := []string{"Points Possible", "", "", "", ""}
	for i := range g.Assignments {
		header = append(header, g.Assignments[i].Title)
		full := "" // an assignment of 0 points would count for nothing
		if n := g.outOf(i); n != 0 {
			full = number(n)
		}
		worth = append(worth, full)
	}
	rows := [][]string{header, worth}
	for _, r := range g.Rows {
		row := []string{r.Name, "", "", r.Login, r.Section}
		for _, c := range r.Cells {
			row = append(row, points(c))
		}
		rows = append(rows, row)
	}
	return table(rows)
}

func points(c sqlite.Standing) string {
	if !c.Grade.Has {
		return ""
	}
	return number(c.Grade.Points)
}
