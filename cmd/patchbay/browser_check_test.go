package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// coursework is a course with an assignment, a student and a teacher.
type coursework struct {
	course, assignment int
	admin, ada         *http.Client
}

func (s *site) coursework(lab string, settings map[string]any) coursework {
	s.t.Helper()
	w := coursework{admin: s.admin()}
	w.ada = s.student(w.admin, "ada", lab)
	var user struct {
		Link string
		User struct{ ID int }
	}
	s.api(w.admin, "POST", "/api/v1/users", map[string]any{"login": "tess", "role": "instructor"}, &user)
	tess := s.newcomer(user.Link)
	var courses []struct {
		ID       int
		JoinCode string `json:"join_code"`
	}
	s.api(w.admin, "GET", "/api/v1/courses", nil, &courses)
	w.course = courses[0].ID
	s.api(tess, "POST", "/api/v1/join", map[string]any{"code": courses[0].JoinCode}, nil)
	s.api(w.admin, "PUT", fmt.Sprintf("/api/v1/courses/%d/members/%d", w.course, user.User.ID), map[string]any{"staff": true}, nil)
	settings["title"], settings["lab"] = "Two hosts", lab
	var as struct{ ID int }
	s.api(w.admin, "POST", fmt.Sprintf("/api/v1/courses/%d/assignments", w.course), settings, &as)
	w.assignment = as.ID
	return w
}

// upright is looks, and a tablet's.
func (p *page) upright(name string) {
	p.t.Helper()
	p.looks(name)
	p.do(chromedp.EmulateViewport(820, 1180))
	p.shot(name + "-820")
	p.do(chromedp.EmulateViewport(1280, 800))
}

// checked waits until a check of the lab is over, and gives what it comes to.
func (p *page) checked() string {
	p.t.Helper()
	p.wait("the check to end", `document.getElementById("stop-checks").hidden && /passed/.test(document.getElementById("checks-total").textContent)`)
	return eval[string](p, `document.getElementById("checks-total").textContent`)
}

// TestHandIn is a lab from its first check to its grade: checked, solved,
// checked by keyboard, handed in, graded on a fresh boot, and opened again by a
// teacher.
func TestHandIn(t *testing.T) {
	s := newSite(t)
	w := s.coursework("two-hosts", map[string]any{"attempts": 3, "due": time.Now().Add(time.Hour).UTC(), "late_percent": 10})
	lab := fmt.Sprintf("%s/assignments/%d", s.url, w.assignment)
	p := s.browse()
	p.logIn("ada")
	p.do(chromedp.Navigate(lab + "/lab"))
	p.running()
	p.wait("the guide's steps to say that they are not tried", `document.querySelector("#step-addresses .step-badge")?.textContent === "0/4"`)
	p.do(chromedp.Click(chromedp.CSS("#check-lab")))
	p.wait("the panel", `document.getElementById("tab-checks").ariaSelected === "true"`)
	if total := p.checked(); !strings.HasPrefix(total, "0 of 7 checks passed: 0 of 8 points") {
		p.fail("an untouched lab: %s", total)
	}
	p.upright("1-untouched")
	fail := `document.querySelector('[data-check="pc1-address"]')`
	if text := eval[string](p, fail+`.innerText`); !strings.Contains(text, "failed") || !strings.Contains(text, "Expected") || !strings.Contains(text, "Seen") {
		p.fail("a check that failed says\n%s", text)
	}
	if !eval[bool](p, `!`+fail+`.querySelector(".hint-fold").open`) {
		p.fail("the hint is open before anybody asked for it")
	}

	// Solved by typing, and checked by a key from within the terminal.
	for _, node := range []string{"pc1", "pc2"} {
		p.terminal(node)
		for _, line := range solution(t, "two-hosts", node) {
			p.say(line)
		}
	}
	p.say("sync; echo written $((6*7))")
	p.wait("the commands to end", `patchbay.text("pc2").includes("written 42")`)
	p.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(2|8)))
	p.wait("the lab to be checked", `!document.getElementById("stop-checks").hidden`)
	p.shot("2-checking")
	if total := p.checked(); !strings.HasPrefix(total, "7 of 7 checks passed: 8 of 8 points") {
		p.fail("the solution: %s\n%s", total, eval[string](p, `document.getElementById("checks").innerText`))
	}
	if !eval[bool](p, `document.activeElement.closest(".pane") !== null`) {
		p.fail("the terminal has lost the keys")
	}
	if n := eval[int](p, `document.querySelectorAll(".step-badge.is-done").length`); n != 3 {
		p.fail("%d steps are ticked, want 3", n)
	}
	p.upright("3-solved")
	p.do(chromedp.EmulateViewport(400, 800), chromedp.Click(chromedp.CSS("#toggle-guide")))
	p.wait("the checks in the drawer, with the focus", `document.activeElement.id === "checks"`)
	p.shot("3-solved-drawer")
	p.do(chromedp.KeyEvent(kb.Escape), chromedp.EmulateViewport(1280, 800))
	p.do(chromedp.Reload())
	p.running()
	p.wait("what was found, after a reload", `document.getElementById("checks-total").textContent.startsWith("7 of 7") && document.querySelectorAll(".step-badge.is-done").length === 3`)
	p.do(chromedp.Click(chromedp.CSS("#tab-checks")), chromedp.Click(chromedp.CSS(".check-step button")))
	p.wait("the step in the guide", `document.activeElement.id === "step-addresses" && document.getElementById("tab-guide").ariaSelected === "true"`)
	p.shot("4-guide")

	// Handed in.
	p.do(chromedp.Click(chromedp.CSS("#hand-in")))
	p.wait("the question", `document.querySelector("dialog[open]")?.innerText.includes("attempt 1 of 3")`)
	p.shot("5-question")
	p.do(chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	p.wait("the lab to be frozen", `patchbay.state().frozen && !document.getElementById("frozen").hidden`)
	p.shot("6-frozen")
	p.wait("it to be taken", `/Attempt 1 is (handed in|graded)/.test(document.getElementById("handed-in").textContent) && !patchbay.state().frozen`)
	p.shot("7-taken")
	path := eval[string](p, `document.querySelector("#handed-in a").getAttribute("href")`)
	p.do(chromedp.Navigate(s.url + path))
	p.wait("the submission's page", `document.getElementById("live")`)
	p.shot("8-waits")
	p.wait("the grade", `document.getElementById("live").innerText.includes("8 of 8") && document.getElementById("live").dataset.live === undefined`)
	p.looks("9-graded")
	if n := eval[int](p, `document.querySelectorAll(".evidence").length`); n != 0 {
		p.fail("a student sees %d pieces of evidence", n)
	}
	p.do(chromedp.Navigate(lab))
	p.wait("the attempt in the assignment's page", `document.querySelector('a[href="`+path+`"]')`)
	p.looks("10-assignment")

	// Its teacher reads the evidence, has it graded again, and opens it.
	teacher := s.browse()
	teacher.logIn("tess")
	teacher.do(chromedp.Navigate(lab))
	teacher.wait("the submission in the list", `document.querySelector('#live a[href="`+path+`"]')`)
	teacher.looks("11-staff")
	teacher.do(chromedp.Click(chromedp.CSS("#regrade")), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	teacher.wait("the regrade's progress", `document.querySelector("#live progress")`)
	teacher.shot("12-regrade")
	teacher.wait("the regrade's end", `document.querySelector("#live [data-said]").innerText.trim() === "1 graded"`)
	teacher.do(chromedp.Navigate(fmt.Sprintf("%s/courses/%d/gradebook", s.url, w.course)))
	teacher.do(chromedp.Click(chromedp.CSS(`a.mark[href="` + path + `"]`)))
	teacher.wait("the evidence", `document.querySelectorAll(".evidence").length > 0`)
	eval[int](teacher, `(document.querySelectorAll('[data-check="pc1-address"] details').forEach(d => d.open = true), 0)`)
	teacher.upright("13-report")
	teacher.do(chromedp.Click(chromedp.CSS(`form[action$="/regrade"] button`)))
	teacher.wait("the submission to wait", `document.getElementById("live").dataset.live !== undefined`)
	teacher.shot("14-waits")
	teacher.wait("the grade once more, without a reload", `document.querySelector("#live [data-said]").innerText.trim() === "graded" && document.querySelectorAll(".evidence").length > 0`)
	headers, err := chromedp.Run(teacher.ctx, chromedp.Evaluate[string](`fetch(document.querySelector(".evidence a").href).then(r =>
		[r.status, r.headers.get("content-disposition"), r.headers.get("content-security-policy")].join(" "))`, chromedp.EvalAwaitPromise))
	if err != nil {
		teacher.fail("fetching evidence: %v", err)
	}
	if !strings.Contains(headers, "200 attachment") || !strings.Contains(headers, "sandbox") {
		teacher.fail("evidence is sent with %s", headers)
	}
	teacher.do(chromedp.Click(chromedp.CSS(`form[action$="/reopen"] button`)))
	teacher.running()
	teacher.terminal("pc1")
	teacher.say("cat /etc/hosts")
	teacher.wait("what the student wrote", `patchbay.text("pc1").includes("10.0.0.2 pc2")`)
	teacher.shot("15-reopened")
	teacher.do(chromedp.Click(chromedp.CSS("#check-lab")))
	if total := teacher.checked(); !strings.HasPrefix(total, "2 of 7") { // what was typed is gone
		teacher.fail("a fresh boot of the submission: %s", total)
	}
}
