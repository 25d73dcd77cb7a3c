package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/patchbay/patchbay/labs/rack"
)

func TestTokens(t *testing.T) {
	s := newSite(t)
	person := s.as("ada")
	var made struct {
		ID    int64
		Token string
	}
	person.api("POST", "/api/v1/tokens", map[string]any{"name": "homework", "days": 7}, &made).wants(t, http.StatusCreated)
	script := s.browser()
	script.header.Set("Authorization", "Bearer "+made.Token)
	var me struct{ Login, Role string }
	script.api("GET", "/api/v1/me", nil, &me).wants(t, http.StatusOK)
	if me.Login != "ada" || me.Role != "student" {
		t.Errorf("me is %+v; want ada, a student", me)
	}
	// A token makes no tokens, and opens no pages.
	script.api("POST", "/api/v1/tokens", map[string]any{"name": "more", "days": 7}, nil).wants(t, http.StatusForbidden)
	script.get("/account").wants(t, http.StatusSeeOther)
	person.get("/account").wants(t, http.StatusOK, "homework")
	var all []map[string]any
	script.api("GET", "/api/v1/tokens", nil, &all).wants(t, http.StatusOK)
	if len(all) != 1 || all[0]["token"] != nil {
		t.Errorf("the list of tokens is %v; want one, without its secret", all)
	}
	s.as("bob").do("DELETE", "/api/v1/tokens/"+itoa(made.ID), "", nil).wants(t, http.StatusNotFound)
	script.do("DELETE", "/api/v1/tokens/"+itoa(made.ID), "", nil).wants(t, http.StatusNoContent)
	script.get("/api/v1/me").wants(t, http.StatusUnauthorized)
	for _, auth := range []string{"Bearer", "Bearer pb_", "Bearer pb_WRONG", "Basic YTpi", "Bearer " + made.Token[3:]} {
		script.header.Set("Authorization", auth)
		a := script.get("/api/v1/me")
		a.wants(t, http.StatusUnauthorized)
		if a.header.Get("WWW-Authenticate") == "" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: headers %v; want a challenge and a problem", auth, a.header)
		}
	}
}

func TestRackAPI(t *testing.T) {
	s := newSite(t)
	ada := s.script("ada")
	ada.get("/api/v1/labs/static-routing/rack").wants(t, http.StatusNotFound, "not started")
	id := s.startLab()
	spec, err := s.racks.spec(id)
	s.must(err)
	if spec.Owner != "ada" || spec.LabSlug != "static-routing" || spec.Cache != "/cache" || len(spec.Topology.Nodes) != 2 {
		t.Errorf("the rack was told %+v", spec)
	}
	var r struct {
		ID, Lab, Owner, Role, Status, Stream string
		State                                *rack.State
	}
	ada.api("GET", "/api/v1/labs/static-routing/rack", nil, &r).wants(t, http.StatusOK)
	if r.ID != id || r.Owner != "ada" || r.Role != "owner" || r.Status != "running" || r.Stream != "/api/v1/racks/"+id+"/stream" || len(r.State.Nodes) != 2 {
		t.Errorf("the rack is %+v", r)
	}
	s.script("ivan").api("GET", "/api/v1/racks/"+id, nil, &r).wants(t, http.StatusOK)
	if r.Role != "viewer" {
		t.Errorf("the teacher is %s; want viewer", r.Role)
	}
	ada.api("POST", "/api/v1/racks/"+id+"/do", rack.Op{Do: "restart", Node: "pc1"}, nil).wants(t, http.StatusNoContent)
	if want := []rack.Op{{Do: "restart", Node: "pc1"}}; !slices.Equal(s.racks.ops, want) {
		t.Errorf("the rack was asked %v; want %v", s.racks.ops, want)
	}
	var res rack.ExecResult
	ada.api("POST", "/api/v1/racks/"+id+"/nodes/pc2/exec", rack.ExecRequest{Args: []string{"ip", "route"}}, &res).wants(t, http.StatusOK)
	if string(res.Stdout) != "ip route on pc2" {
		t.Errorf("exec said %q", res.Stdout)
	}
	ada.api("POST", "/api/v1/racks/"+id+"/nodes/pc2/exec", rack.ExecRequest{}, nil).wants(t, http.StatusUnprocessableEntity, "program")
	ada.api("POST", "/api/v1/racks/"+id+"/do", map[string]any{"do": "stop", "bogus": 1}, nil).wants(t, http.StatusUnprocessableEntity, "bogus")

	// The rack's own refusals reach the person.
	s.racks.mu.Lock()
	s.racks.refuse = &rack.Refusal{Status: http.StatusConflict, Problem: rack.Problem{Error: "pc1 is restarting"}}
	s.racks.mu.Unlock()
	ada.api("POST", "/api/v1/racks/"+id+"/do", rack.Op{Do: "stop", Node: "pc1"}, nil).wants(t, http.StatusConflict, "pc1 is restarting.")
	s.racks.mu.Lock()
	s.racks.refuse = nil
	s.racks.mu.Unlock()

	ada.do("DELETE", "/api/v1/racks/"+id, "", nil).wants(t, http.StatusNoContent)
	ada.do("DELETE", "/api/v1/racks/"+id, "", nil).wants(t, http.StatusNoContent) // it is as it should be
	ada.api("POST", "/api/v1/racks/"+id+"/do", rack.Op{Do: "stop"}, nil).wants(t, http.StatusConflict, "not running")
	ada.api("GET", "/api/v1/labs/static-routing/rack", nil, &r).wants(t, http.StatusOK)
	if r.Status != "off" {
		t.Errorf("a stopped rack is %s; want off", r.Status)
	}
	if again := s.startLab(); again != id {
		t.Errorf("started again it is %s; want %s with its disks", again, id)
	}
}

// TestDoubleStart: two requests at once start one rack, once.
func TestDoubleStart(t *testing.T) {
	s := newSite(t)
	s.racks.hold = make(chan struct{})
	var wg sync.WaitGroup
	ids := make([]string, 5)
	for i := range ids {
		ada := s.script("ada")
		wg.Go(func() {
			var r struct{ ID string }
			ada.api("POST", "/api/v1/labs/static-routing/rack", nil, &r)
			ids[i] = r.ID
		})
	}
	close(s.racks.hold)
	wg.Wait()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 1 || s.racks.starts != 1 {
		t.Errorf("racks %v were started %d times; want one, once", ids, s.racks.starts)
	}
}

// What the server lacks, and what a rack does not do, are said in a sentence.
func TestTroubleIsASentence(t *testing.T) {
	s := newSite(t)
	ada := s.script("ada")
	start := func() answer { return ada.api("POST", "/api/v1/labs/static-routing/rack", nil, nil) }
	s.racks.failed = fmt.Errorf("starting: %w", &rack.Explained{Sentence: "The server's disk is full; wait.", Err: errors.New("/secret/path is full")})
	a := start()
	a.wants(t, http.StatusServiceUnavailable, "The server's disk is full; wait.", `"unavailable"`)
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "secret") || !strings.Contains(s.log.String(), "/secret/path") {
		t.Errorf("answered %v %s\nlogged %s", a.header, a.body, s.log)
	}
	s.racks.failed = fmt.Errorf("committing: %w", sqlite3.Error{Code: sqlite3.ErrFull})
	start().wants(t, http.StatusServiceUnavailable, "disk is full", "nothing can be saved")
	s.racks.failed = errors.New("/secret/path is odd")
	start().wants(t, http.StatusInternalServerError, "Something went wrong")
	s.racks.failed = nil
	id := s.startLab()

	s.racks.refuse = &rack.Refusal{Status: http.StatusGatewayTimeout, Problem: rack.Problem{Error: "sleep did not end within 1s."}}
	ada.api("POST", "/api/v1/racks/"+id+"/nodes/pc1/exec", rack.ExecRequest{Args: []string{"sleep", "9"}}, nil).
		wants(t, http.StatusGatewayTimeout, "sleep did not end within 1s.")
	s.racks.refuse = nil

	s.racks.hung = id
	ada.get("/api/v1/racks/"+id).wants(t, http.StatusServiceUnavailable, "does not answer")
	start().wants(t, http.StatusServiceUnavailable, "does not answer")
	for _, who := range []string{"ada", "root"} {
		s.script(who).get("/api/v1/racks").wants(t, http.StatusOK, `"status": "failed"`, "does not answer")
	}
	s.as("root").get("/admin/racks").wants(t, http.StatusOK, id, "does not answer")
	ada.do("DELETE", "/api/v1/racks/"+id, "", nil).wants(t, http.StatusNoContent)
}

// A start under way when the server ends is given up, and waited for.
func TestCloseEndsAStart(t *testing.T) {
	s := newSite(t)
	s.racks.hold = make(chan struct{})
	ada := s.script("ada")
	answers := make(chan answer, 1)
	go func() { answers <- ada.api("POST", "/api/v1/labs/static-routing/rack", nil, nil) }()
	for ids := 0; ids == 0; time.Sleep(time.Millisecond) { // it is on its way when it is recorded
		all, err := s.db.Racks(context.Background())
		s.must(err)
		ids = len(all)
	}
	s.web.Close()
	a := <-answers
	a.wants(t, http.StatusServiceUnavailable, "restarts")
}

func TestCourseAPI(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	iris, bob := s.script("iris"), s.find("bob")
	var c struct {
		ID       int64
		Title    string
		JoinCode string `json:"join_code"`
		Labs     []string
	}
	iris.api("POST", "/api/v1/courses", map[string]any{"title": " Routing  II ", "labs": []string{"hidden"}}, &c).wants(t, http.StatusCreated)
	if c.Title != "Routing II" || c.JoinCode == "" || !slices.Equal(c.Labs, []string{"hidden"}) {
		t.Errorf("the course is %+v", c)
	}
	path := "/api/v1/courses/" + itoa(c.ID)
	iris.api("PUT", path+"/labs", []string{"nothing"}, nil).wants(t, http.StatusUnprocessableEntity, "nothing")
	iris.api("PUT", path+"/labs", []string{"static-routing", "hidden"}, &c).wants(t, http.StatusOK)
	if !slices.Equal(c.Labs, []string{"static-routing", "hidden"}) {
		t.Errorf("its labs are %v", c.Labs)
	}
	s.script("bob").api("POST", "/api/v1/join", map[string]any{"code": c.JoinCode}, nil).wants(t, http.StatusOK, "Routing II")
	s.script("bob").get("/api/v1/labs/hidden").wants(t, http.StatusOK)
	var members []struct {
		Login string
		Staff bool
	}
	iris.api("GET", path+"/members", nil, &members)
	if len(members) != 2 || members[0].Login != "iris" || !members[0].Staff || members[1].Login != "bob" {
		t.Errorf("members are %+v", members)
	}
	iris.api("PUT", path+"/members/"+itoa(s.find("iris").ID), map[string]any{"staff": false}, nil).wants(t, http.StatusConflict, "last teacher")
	iris.do("DELETE", path+"/members/"+itoa(s.find("iris").ID), "", nil).wants(t, http.StatusConflict, "last teacher")
	iris.api("PUT", path+"/members/"+itoa(bob.ID), map[string]any{"staff": true}, nil).wants(t, http.StatusNoContent)
	s.script("bob").get(path).wants(t, http.StatusOK, c.JoinCode)
	iris.do("DELETE", path+"/members/"+itoa(bob.ID), "", nil).wants(t, http.StatusNoContent)
	s.script("bob").get(path).wants(t, http.StatusNotFound)
	iris.api("POST", path+"/code", map[string]any{"open": false}, &c)
	iris.api("PATCH", path, map[string]any{"title": ""}, nil).wants(t, http.StatusUnprocessableEntity, "title")
	got, err := s.db.Course(ctx, c.ID)
	s.must(err)
	if got.JoinCode != "" {
		t.Errorf("a closed course has the code %q", got.JoinCode)
	}
}

func TestUserAPI(t *testing.T) {
	s := newSite(t)
	root := s.script("root")
	var made struct {
		User struct{ ID int64 }
		Link string
	}
	root.api("POST", "/api/v1/users", map[string]any{"login": "Noor", "role": "student"}, &made).wants(t, http.StatusCreated)
	s.browser().get(made.Link[len(s.url):]).wants(t, http.StatusOK, "noor")
	path := "/api/v1/users/" + itoa(made.User.ID)
	root.api("POST", "/api/v1/users", map[string]any{"login": "noor", "role": "student"}, nil).wants(t, http.StatusConflict)
	root.api("PATCH", path, map[string]any{"role": "emperor"}, nil).wants(t, http.StatusUnprocessableEntity, "emperor")
	root.api("PATCH", path, map[string]any{"role": "instructor", "name": "Noor Noon"}, nil).wants(t, http.StatusOK, "Noor Noon", "instructor")
	root.api("PATCH", "/api/v1/users/"+itoa(s.find("root").ID), map[string]any{"disabled": true}, nil).wants(t, http.StatusConflict, "own account")
	root.api("POST", path+"/link", nil, &made).wants(t, http.StatusCreated)
	root.do("POST", "/api/v1/users", "application/json", nil).wants(t, http.StatusUnprocessableEntity)
}
