package labs

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// RosterEntry is a student as a list from elsewhere names them.
type RosterEntry struct {
	Line    int    // of the file, from 1
	Login   string // empty: to be found by Email
	Name    string
	Email   string
	Section string
}

// Limits of rosters.
const (
	MaxRoster     = 1 << 20 // bytes
	maxRosterRows = 5000
)

// rosterColumns are the names, in lower case, under which learning-management
// systems export what we look for.
var rosterColumns = map[string]string{
	"login": "login", "username": "login", "user name": "login", "sis login id": "login", "login id": "login", "user id": "login", "netid": "login",
	"email": "email", "e-mail": "email", "email address": "email", "mail": "email",
	"name": "name", "full name": "name", "student": "name", "student name": "name",
	"first name": "first", "firstname": "first", "given name": "first",
	"last name": "last", "lastname": "last", "surname": "last", "family name": "last",
	"section": "section", "sections": "section", "group": "section", "groups": "section",
}

// ReadRoster reads a list of students: CSV with a header line, as Canvas,
// Moodle and Blackboard export it or as somebody typed it: separated by commas,
// semicolons or tabs, in UTF-8 or UTF-16. Columns that it does not know are
// left aside. The error is Problems, by line; file names it in them.
func ReadRoster(file string, data []byte) ([]RosterEntry, error) {
	text, err := decodeText(data)
	if err != nil {
		return nil, Problems{{File: file, Line: 1, Col: 1, Message: err.Error(), Fix: "save it as CSV in UTF-8"}}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = separator(text)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, Problems{{File: file, Line: 1, Col: 1, Message: "the list is empty", Fix: "begin with a line that names the columns: login,name,email"}}
	}
	if err != nil {
		return nil, Problems{csvProblem(file, err)}
	}
	line, _ := r.FieldPos(0)
	columns := map[string]int{}
	for i, cell := range header {
		if what := rosterColumns[strings.ToLower(strings.TrimSpace(cell))]; what != "" {
			if _, twice := columns[what]; !twice {
				columns[what] = i
			}
		}
	}
	_, hasLogin := columns["login"]
	_, hasEmail := columns["email"]
	if !hasLogin && !hasEmail {
		return nil, Problems{{File: file, Line: line, Col: 1, Message: "no column is called login, username or email",
			Fix: "begin with a line that names the columns: login,name,email"}}
	}
	return readRosterRows(file, r, columns)
}

func readRosterRows(file string, r *csv.Reader, columns map[string]int) ([]RosterEntry, error) {
	var entries []RosterEntry
	var problems Problems
	seen := map[string]int{} // login or e-mail address: line
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			problems = append(problems, csvProblem(file, err)) // nothing behind it can be trusted
			break
		}
		line, _ := r.FieldPos(0)
		e := rosterEntry(row, columns)
		e.Line = line
		if e == (RosterEntry{Line: line}) {
			continue
		}
		if err := checkEntry(&e); err != nil {
			problems = append(problems, Problem{File: file, Line: line, Col: 1, Message: strings.TrimSuffix(MessageOf(err), "."), Fix: "mend the line, or take it out"})
		}
		for _, key := range []string{"login " + e.Login, "e-mail address " + strings.ToLower(e.Email)} {
			if strings.HasSuffix(key, " ") {
				continue
			}
			if first := seen[key]; first != 0 {
				problems = append(problems, Problem{File: file, Line: line, Col: 1,
					Message: fmt.Sprintf("the %s was in line %d already", key, first), Fix: "take one of the two out"})
			} else {
				seen[key] = line
			}
		}
		entries = append(entries, e)
		if len(entries) > maxRosterRows {
			problems = append(problems, Problem{File: file, Line: line, Col: 1, Message: fmt.Sprintf("more than %d students", maxRosterRows), Fix: "split the list"})
			break
		}
		if len(problems) >= maxProblems {
			break
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if len(entries) == 0 {
		return nil, Problems{{File: file, Line: 1, Col: 1, Message: "no student follows the line that names the columns", Fix: "add a line for each student"}}
	}
	return entries, nil
}

// rosterEntry reads a row; it is empty when the row is, or is one of those
// that Canvas writes before and behind the students.
func rosterEntry(row []string, columns map[string]int) RosterEntry {
	cell := func(what string) string {
		i, ok := columns[what]
		if !ok || i >= len(row) {
			return ""
		}
		return Armed(strings.Join(strings.Fields(row[i]), " "))
	}
	e := RosterEntry{Login: strings.ToLower(cell("login")), Name: cell("name"), Email: cell("email"), Section: cell("section")}
	if strings.HasPrefix(e.Name, "Points Possible") || e.Name == "Student, Test" {
		return RosterEntry{}
	}
	if e.Name == "" {
		e.Name = strings.TrimSpace(cell("first") + " " + cell("last"))
	} else if last, first, ok := strings.Cut(e.Name, ","); ok && strings.TrimSpace(first) != "" {
		e.Name = strings.TrimSpace(first) + " " + strings.TrimSpace(last) // "Lovelace, Ada"
	}
	if e.Email == "" && strings.Contains(e.Login, "@") {
		e.Email = e.Login
	}
	return e
}

// checkEntry checks an entry as if a user were to be made of it, and a section.
func checkEntry(e *RosterEntry) error {
	if e.Login == "" && e.Email == "" {
		return Errorf(Invalid, "It has neither a login nor an e-mail address.")
	}
	u := e.User()
	if err := CleanUser(&u); err != nil {
		return err
	}
	e.Name = u.Name
	if e.Section != "" {
		name, err := CleanSectionName(e.Section)
		if err != nil {
			return Errorf(Invalid, "The section's name is longer than %d characters or cannot be printed.", MaxNameLen)
		}
		e.Section = name
	}
	return nil
}

// User is the account that is made of an entry when there is none: its login
// is the one given, or else what comes before the “@” of the address.
func (e RosterEntry) User() User {
	login := e.Login
	if login == "" {
		login, _, _ = strings.Cut(strings.ToLower(e.Email), "@")
	}
	return User{Login: login, Name: e.Name, Email: e.Email, Role: Student}
}

func csvProblem(file string, err error) Problem {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		col := e.Column
		if e.StartLine != e.Line {
			col = 1 // a quote that never ends is noticed far behind it
		}
		return Problem{File: file, Line: e.StartLine, Col: col, Message: e.Err.Error(), Fix: `quotes belong around a whole cell, and are written twice within one: "Ada ""Countess"" Lovelace"`}
	}
	return Problem{File: file, Message: err.Error()}
}

// separator is what the first line has most of.
func separator(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best, most := ',', strings.Count(first, ",")
	for _, c := range ";\t" {
		if n := strings.Count(first, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// decodeText makes UTF-8 of UTF-8 or UTF-16 with or without a mark, and of its
// line ends "\n".
func decodeText(data []byte) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		little := data[0] == 0xff
		units := make([]uint16, 0, len(data)/2)
		for i := 2; i+1 < len(data); i += 2 {
			if little {
				units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
			} else {
				units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
			}
		}
		data = []byte(string(utf16.Decode(units)))
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	if !utf8.Valid(data) {
		return "", errors.New("the text is neither UTF-8 nor UTF-16")
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	return strings.ReplaceAll(text, "\r", "\n"), nil
}

// Defused is a cell of an exported table that no spreadsheet takes for a
// formula: what begins like one gets an apostrophe before it.
func Defused(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// Armed takes back what Defused did.
func Armed(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(cell[1])) {
		return cell[1:]
	}
	return cell
}
