package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// solution gives the lines that solve a lab on a node, as a student types them.
func solution(t *testing.T, lab, node string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../labs/catalog/shelf", lab, "solution", node+".sh"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestStudent is a student's evening: log in, solve a lab by typing, come back
// after a reload and after the server was killed, begin again, stop.
func TestStudent(t *testing.T) {
	s := newSite(t)
	s.student(s.admin(), "ada", "static-routing")
	p := s.browse()
	p.logIn("ada")
	p.do(chromedp.Click(chromedp.CSS(`a[href="/labs/static-routing"]`)))
	p.running()
	p.shot("1-lab")

	for _, node := range []string{"pc1", "r1", "r2", "pc2"} {
		p.terminal(node)
		for _, line := range solution(t, "static-routing", node) {
			p.say(line)
		}
	}
	p.terminal("pc1")
	p.say("ping -c 3 10.0.2.10")
	p.wait("the ping's answer", `patchbay.text("pc1").includes("3 received, 0% packet loss")`)
	p.say("echo kept > /root/mark; sync; echo saved $((6*7))")
	p.wait("the file to be written", `patchbay.text("pc1").includes("saved 42")`)
	p.terminal("pc1")
	p.shot("2-solved")

	before := p.text("pc1")
	p.do(chromedp.Reload())
	p.running()
	p.terminal("pc1")
	if after := p.text("pc1"); after != before {
		p.fail("after a reload the screen is\n%s\nwant\n%s", after, before)
	}

	s.kill(syscall.SIGKILL)
	p.wait("the page to notice that the server is gone", `patchbay.link() !== "connected"`)
	p.shot("3-server-gone")
	s.start()
	p.wait("the page to come back", `patchbay.link() === "connected"`)
	p.forgive(`WebSocket connection|ERR_CONNECTION_REFUSED`) // Chromium's own words for it
	p.say("echo back $((6*7))")
	p.wait("an answer after the server was killed", `patchbay.text("pc1").includes("back 42")`)

	p.do(chromedp.Click(chromedp.CSS(`#reset-lab`)), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	p.wait("the screen to be new", `!patchbay.text("pc1").includes("packet loss")`)
	p.running()
	p.terminal("pc1")
	p.say("cat /root/mark; ip -brief address show eth0; echo done $((6*7))")
	p.wait("the commands to end", `patchbay.text("pc1").includes("done 42")`)
	if text := p.text("pc1"); !strings.Contains(text, "No such file") || strings.Contains(text, "10.0.1.10") {
		p.fail("after a reset pc1 says\n%s", text)
	}

	p.do(chromedp.Click(chromedp.CSS(`#stop-lab`)), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	p.wait("the page to say that the lab is stopped", `document.body.innerText.includes("The lab is stopped")`)
	p.shot("4-stopped")
	p.do(chromedp.Navigate(s.url + "/"))
	p.wait("the lab in the list", `document.querySelector("main").innerText.includes("stopped")`)
}

// TestTeacher looks over a student's shoulder: sees what they type and see, and
// can change nothing of it.
func TestTeacher(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	ada := s.student(admin, "ada", "two-hosts")
	var user struct {
		Link string
		User struct{ ID int }
	}
	s.api(admin, "POST", "/api/v1/users", map[string]any{"login": "tess", "role": "instructor"}, &user)
	tess := s.newcomer(user.Link)
	var courses []struct {
		ID       int
		JoinCode string `json:"join_code"`
	}
	s.api(admin, "GET", "/api/v1/courses", nil, &courses)
	s.api(tess, "POST", "/api/v1/join", map[string]any{"code": courses[0].JoinCode}, nil)
	s.api(admin, "PUT", fmt.Sprintf("/api/v1/courses/%d/members/%d", courses[0].ID, user.User.ID), map[string]any{"staff": true}, nil)
	var rack struct{ ID string }
	s.api(ada, "POST", "/api/v1/labs/two-hosts/rack", nil, &rack)

	student, teacher := s.browse(), s.browse()
	student.logIn("ada")
	student.do(chromedp.Navigate(s.url + "/labs/two-hosts"))
	student.running()
	teacher.logIn("tess")
	teacher.do(chromedp.Navigate(fmt.Sprintf("%s/courses/%d", s.url, courses[0].ID)))
	teacher.do(chromedp.Click(chromedp.CSS(`a[href="/racks/` + rack.ID + `"]`)))
	teacher.running()
	teacher.terminal("pc1")

	student.terminal("pc1")
	student.say("echo seen $((6*7))")
	teacher.wait("what the student sees", `patchbay.text("pc1").includes("seen 42")`)
	teacher.shot("viewer")

	// The teacher's keys go nowhere. The student's, typed after them, show that
	// there was time enough.
	teacher.say("echo meddled $((6*7))")
	student.say("echo after $((6*7))")
	teacher.wait("what the student typed then", `patchbay.text("pc1").includes("after 42")`)
	for _, p := range []*page{student, teacher} {
		if text := p.text("pc1"); strings.Contains(text, "meddled") {
			p.fail("what the teacher typed reached pc1:\n%s", text)
		}
	}
	// The page offers no button, and who asks without it is refused.
	if n := eval[int](teacher, `["reset-lab", "stop-lab", "start-lab"].filter(id => document.getElementById(id)?.checkVisibility()).length`); n != 0 {
		teacher.fail("a viewer's page has %d buttons that change the lab", n)
	}
	status := `fetch("/api/v1/racks/` + rack.ID + `/%s", {method: "POST", body: %q}).then(r => r.status)`
	for path, body := range map[string]string{
		"do":             `{"do":"reset"}`,
		"nodes/pc1/exec": `{"args":["true"]}`,
	} {
		got, err := chromedp.Run(teacher.ctx, chromedp.Evaluate[int](fmt.Sprintf(status, path, body), chromedp.EvalAwaitPromise))
		if err != nil || got != 403 {
			teacher.fail("a viewer's POST of %s is answered %d, %v; want 403", path, got, err)
		}
	}
	teacher.forgive(`status of 403`) // that was it

	student.do(chromedp.Click(chromedp.CSS(`#stop-lab`)), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	teacher.wait("the page to say that the lab has ended", `patchbay.link() === "stopped"`)
}
