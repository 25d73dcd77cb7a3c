package labs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/patchbay/patchbay/labs"
)

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestReadRoster(t *testing.T) {
	ada := labs.RosterEntry{Line: 2, Login: "ada", Name: "Ada Lovelace", Email: "ada@example.org", Section: "Tuesday"}
	noSection := ada
	noSection.Section = ""
	for _, c := range []struct {
		name, text string
		want       []labs.RosterEntry
	}{
		{"plain", "login,name,email,section\nada,Ada Lovelace,ada@example.org,Tuesday\n", []labs.RosterEntry{ada}},
		{"a mark, semicolons, CRLF", "\xef\xbb\xbfLogin;Name;E-Mail;Section\r\nAda;Ada  Lovelace;ada@example.org;Tuesday\r\n", []labs.RosterEntry{ada}},
		{"old line ends", "login,name,email,section\rada,Ada Lovelace,ada@example.org,Tuesday", []labs.RosterEntry{ada}},
		{"Canvas", "Student,ID,SIS User ID,SIS Login ID,Section,Routes (7)\n" +
			"Points Possible,,,,,10\n\"Lovelace, Ada\",12,u1,ada@example.org,Tuesday,7\n\"Student, Test\",13,,x,Tuesday,\n",
			[]labs.RosterEntry{{Line: 3, Login: "ada@example.org", Name: "Ada Lovelace", Email: "ada@example.org", Section: "Tuesday"}}},
		{"Moodle", "First name,Surname,ID number,Institution,Department,Email address,Groups\nAda,Lovelace,1,,,ada@example.org,Tuesday\n",
			[]labs.RosterEntry{{Line: 2, Name: "Ada Lovelace", Email: "ada@example.org", Section: "Tuesday"}}},
		{"Blackboard", utf16le("\"Last Name\"\t\"First Name\"\t\"Username\"\t\"Student ID\"\t\"Last Access\"\n\"Lovelace\"\t\"Ada\"\t\"ada\"\t\"7\"\t\"\"\n"),
			[]labs.RosterEntry{{Line: 2, Login: "ada", Name: "Ada Lovelace"}}},
		{"addresses alone", "email\nada@example.org\n\nbob@example.org\n",
			[]labs.RosterEntry{{Line: 2, Name: "ada", Email: "ada@example.org"}, {Line: 4, Name: "bob", Email: "bob@example.org"}}},
		{"quotes and lines within them", "login,name\nada,\"Ada \"\"Countess\"\" Lovelace\"\nbob,\"Bob\nB.\"\ncarl,C\n",
			[]labs.RosterEntry{{Line: 2, Login: "ada", Name: `Ada "Countess" Lovelace`}, {Line: 3, Login: "bob", Name: "Bob B."}, {Line: 5, Login: "carl", Name: "C"}}},
		{"short rows", "login,name,email,section\nada\n", []labs.RosterEntry{{Line: 2, Login: "ada", Name: "ada"}}},
		{"our own export", "Student,ID,SIS User ID,SIS Login ID,Section,Routes\nPoints Possible,,,,,10\n'=1+1,,,eve,'-A,3\n",
			[]labs.RosterEntry{{Line: 3, Login: "eve", Name: "=1+1", Section: "-A"}}},
	} {
		got, err := labs.ReadRoster("list.csv", []byte(c.text))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestReadRosterProblems(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"list.csv:1:1: the list is empty"}},
		{"no known column", "a,b\n1,2\n", []string{"list.csv:1:1: no column is called login, username or email"}},
		{"nobody", "login,name\n", []string{"list.csv:1:1: no student follows"}},
		{"no UTF-8", "login\n\xff\xff\n", []string{"list.csv:1:1: the text is neither UTF-8 nor UTF-16"}},
		{"a quote too few", "login,name\nada,\"Ada\nbob,Bob\n", []string{"list.csv:2:1", "quotes belong around a whole cell"}},
		{"a quote inside", "login,name\nada,A\"d\"a\n", []string{"list.csv:2:6: bare"}},
		{"several lines", "login,name,email\n-x,X,\nbob,Bob,nobody\nbob,Bob,\n,Nameless,\n", []string{
			"list.csv:2:1: A login is", "list.csv:3:1: \"nobody\" is not an e-mail address", "list.csv:4:1: the login bob was in line 3", "list.csv:5:1: It has neither"}},
		{"the same address", "email\nada@example.org\nAda@example.org\n", []string{"list.csv:3:1: the e-mail address ada@example.org was in line 2"}},
		{"a control", "login,name\nada,A\x1b[31m\n", []string{"list.csv:2:1: A name is"}},
	} {
		_, err := labs.ReadRoster("list.csv", []byte(c.text))
		if _, ok := errors.AsType[labs.Problems](err); !ok {
			t.Errorf("%s: %v; want Problems", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: it does not say %q:\n%v", c.name, want, err)
			}
		}
	}
	long := "login\n" + strings.Repeat("x y\n", 10000)
	_, err := labs.ReadRoster("l", []byte(long))
	if p, _ := errors.AsType[labs.Problems](err); len(p) == 0 || len(p) > 200 {
		t.Errorf("a list that is wrong everywhere has %d problems", len(p))
	}
}

func TestDefused(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "Ada": "Ada", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "a=1": "a=1", "'=1": "'=1",
	} {
		if got := labs.Defused(cell); got != want {
			t.Errorf("Defused(%q) = %q; want %q", cell, got, want)
		}
		if got := labs.Armed(labs.Defused(cell)); got != cell && cell != "'=1" {
			t.Errorf("Armed(Defused(%q)) = %q", cell, got)
		}
	}
}

// FuzzReadRoster: whatever a browser sends is a list of accounts that can be
// made, or problems with lines.
func FuzzReadRoster(f *testing.F) {
	f.Add([]byte("login,name,email,section\nada,Ada,ada@example.org,A\n"))
	f.Add([]byte("\xff\xfea\x00"))
	f.Add([]byte("Student;SIS Login ID\n\"L, A\";x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := labs.ReadRoster("f", data)
		if err != nil {
			p, ok := errors.AsType[labs.Problems](err)
			if !ok || len(p) == 0 || len(entries) != 0 {
				t.Fatalf("%v, %v", entries, err)
			}
			return
		}
		for _, e := range entries {
			u := e.User()
			if err := labs.CleanUser(&u); err != nil || e.Line < 2 {
				t.Errorf("%+v makes no account: %v", e, err)
			}
		}
	})
}
