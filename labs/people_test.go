package labs_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/patchbay/patchbay/labs"
)

func TestErrors(t *testing.T) {
	cause := errors.New("disk on fire")
	tests := []struct {
		name    string
		err     error
		code    labs.Code
		message string
	}{
		{"none", nil, "", "Internal error."},
		{"coded", labs.Errorf(labs.NotFound, "No %s.", "cake"), labs.NotFound, "No cake."},
		{"wrapped", fmt.Errorf("looking: %w", labs.Errorf(labs.Conflict, "Taken.")), labs.Conflict, "Taken."},
		{"with a cause", &labs.Error{Code: labs.Forbidden, Message: "No.", Cause: cause}, labs.Forbidden, "No."},
		{"internal", &labs.Error{Code: labs.Internal, Message: "secret", Cause: cause}, labs.Internal, "Internal error."},
		{"unknown", cause, labs.Internal, "Internal error."},
		{"problems", labs.Problems{{File: "lab.yaml", Line: 1, Col: 2, Message: "bad", Fix: "mend it"}}, labs.Invalid, "lab.yaml:1:2: bad (mend it)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := labs.CodeOf(test.err); got != test.code {
				t.Errorf("CodeOf = %q; want %q", got, test.code)
			}
			if got := labs.MessageOf(test.err); got != test.message {
				t.Errorf("MessageOf = %q; want %q", got, test.message)
			}
		})
	}
	if e := (&labs.Error{Code: labs.Forbidden, Message: "No", Cause: cause}); !errors.Is(e, cause) || e.Error() != "No: disk on fire" {
		t.Errorf("the log would read %q", e)
	}
}

func TestJoinCode(t *testing.T) {
	form := regexp.MustCompile(`^[BCDFGHJKMNPQRSTVWXYZ]{4}-[BCDFGHJKMNPQRSTVWXYZ]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := labs.NewJoinCode()
		if !form.MatchString(code) {
			t.Fatalf("NewJoinCode = %q", code)
		}
		if seen[code] {
			t.Fatalf("NewJoinCode = %q, twice in 1000 of 20^8", code)
		}
		seen[code] = true
		if got := labs.CleanJoinCode(code); got != code {
			t.Errorf("CleanJoinCode(%q) = %q", code, got)
		}
	}
	for typed, want := range map[string]string{
		"bcdf-ghjk": "BCDF-GHJK", " BCDF GHJK\r\n": "BCDF-GHJK", "bcdfghjk": "BCDF-GHJK", "b c-d f g h j k": "BCDF-GHJK",
		"": "", "BCDF-GHJ": "", "BCDF-GHJKK": "", "ABCD-EFGH": "", "BCDF_GHJK": "", "bcdfghj\u212a": "", "BCDF-GHJ\x00K": "",
	} {
		if got := labs.CleanJoinCode(typed); got != want {
			t.Errorf("CleanJoinCode(%q) = %q; want %q", typed, got, want)
		}
	}
}

func TestNewRackID(t *testing.T) {
	form := regexp.MustCompile(`^[a-z2-7]{12}$`)
	for range 100 {
		if id := labs.NewRackID(); !form.MatchString(id) {
			t.Fatalf("NewRackID = %q", id)
		}
	}
}

func FuzzCleanJoinCode(f *testing.F) {
	f.Add("BCDF-GHJK")
	f.Add(" bcdf ghjk")
	f.Fuzz(func(t *testing.T, s string) {
		code := labs.CleanJoinCode(s)
		if code != "" && labs.CleanJoinCode(code) != code {
			t.Errorf("CleanJoinCode(%q) = %q, which is not clean", s, code)
		}
	})
}

func TestCleanUser(t *testing.T) {
	u := labs.User{Login: " Anna@Example.org ", Name: " Anna \t Ahlgren ", Email: " anna@example.org ", Role: labs.Student}
	if err := labs.CleanUser(&u); err != nil {
		t.Fatal(err)
	}
	want := labs.User{Login: "anna@example.org", Name: "Anna Ahlgren", Email: "anna@example.org", Role: labs.Student}
	if u != want {
		t.Errorf("CleanUser made %+v; want %+v", u, want)
	}
	u = labs.User{Login: "anna", Role: labs.Student}
	if err := labs.CleanUser(&u); err != nil || u.Name != "anna" {
		t.Errorf("without a name: %+v, %v", u, err)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"memory", "mtu", "interfaces", "at"}
	for written, want := range map[string]string{
		"memroy": `did you mean "memory"?`, "Memory": `did you mean "memory"?`, "interface": `did you mean "interfaces"?`,
		"mut": `did you mean "mtu"?`, "x": "choose", "colour": "choose", "": "choose",
	} {
		if got := labs.DidYouMean(written, names, "choose"); got != want {
			t.Errorf("didYouMean(%q) = %q; want %q", written, got, want)
		}
	}
}
