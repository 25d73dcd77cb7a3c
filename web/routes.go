package web

import (
	_ "embed"
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/patchbay/patchbay/labs"
)

//go:embed openapi.yaml
var openapiYAML []byte

// routes is every address that the server answers, and who may ask.
func (s *Server) routes() (http.Handler, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if p := s.cfg.PublicURL; p != nil {
		if err := crossOrigin.AddTrustedOrigin(p.Scheme + "://" + p.Host); err != nil {
			return nil, err
		}
	}
	crossOrigin.SetDenyHandler(s.handle(func(http.ResponseWriter, *http.Request) error {
		return labs.Errorf(labs.Forbidden, "This request came from another site, so it was not carried out.")
	}))
	get := func(r chi.Router, pattern string, h handler) { r.Get(pattern, s.handle(h)) }
	post := func(r chi.Router, pattern string, h handler) { r.Post(pattern, s.handle(h)) }

	root := chi.NewRouter()
	if len(s.cfg.Proxies) > 0 {
		root.Use(middleware.ClientIPFromXFF(each(s.cfg.Proxies, netip.Prefix.String)...))
	}
	root.Use(s.logged, s.headers, crossOrigin.Handler)
	// These two run without the middlewares of any group, and their pages have a bar, too.
	withBar := func(h handler) http.HandlerFunc { return s.readSession(s.identify(s.handle(h))).ServeHTTP }
	root.NotFound(withBar(func(http.ResponseWriter, *http.Request) error {
		return labs.Errorf(labs.NotFound, "There is no page at this address. It may have been moved, or mistyped.")
	}))
	root.MethodNotAllowed(withBar(func(_ http.ResponseWriter, r *http.Request) error {
		return labs.Errorf(methodNotAllowed, "%s does not work at this address.", r.Method)
	}))
	root.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	root.Handle("/static/{hash}/*", s.staticFiles())

	// These last for hours, the stream takes over its connection: see readSession.
	root.Group(func(r chi.Router) {
		r.Use(s.readSession, s.identify, s.onlyIf(anybody))
		get(r, "/api/v1/racks/{rack}/stream", s.stream)
		get(r, "/api/v1/racks/{rack}/capture", s.apiCapture)
		get(r, "/api/v1/racks/{rack}/frames", s.apiFrames)
		post(r, "/api/v1/racks/{rack}/check", s.apiCheck)
	})

	root.Group(func(r chi.Router) {
		r.Use(s.sessions.LoadAndSave, s.identify)

		// Anybody.
		get(r, "/login", s.loginPage)
		post(r, "/login", s.login)
		post(r, "/logout", s.logout)
		get(r, "/link/{secret}", s.linkPage)
		post(r, "/link/{secret}", s.useLink)
		get(r, "/join", s.joinPage)
		post(r, "/join", s.join)
		get(r, "/api/openapi.yaml", s.openapi)
		get(r, "/api/docs", s.docsPage)
		get(r, "/docs", s.handbookPage)
		get(r, "/docs/{page}", s.handbookPage)
		get(r, "/lab.schema.json", s.labSchema)

		// People who are logged in.
		r.Group(func(r chi.Router) {
			r.Use(s.onlyIf(anybody))
			get(r, "/", s.home)
			get(r, "/catalog", s.catalogPage)
			get(r, "/catalog/{lab}", s.catalogLabPage)
			get(r, "/labs/{lab}", s.labPage)
			post(r, "/labs/{lab}/stop", s.stopLab)
			get(r, "/racks/{rack}", s.watchPage)
			get(r, "/racks/{rack}/published/{node}/{port}", s.openPublished)
			get(r, "/account", s.accountPage)
			post(r, "/account/password", s.changePassword)
			post(r, "/account/sessions/end", s.endSessions)
			post(r, "/account/tokens", s.createToken)
			post(r, "/account/tokens/{token}/revoke", s.revokeToken)
			get(r, "/courses/{course}", s.coursePage) // its teachers, whatever their role
			post(r, "/courses/{course}/title", s.renameCourse)
			post(r, "/courses/{course}/labs", s.chooseLabs)
			post(r, "/courses/{course}/code", s.renewJoinCode)
			post(r, "/courses/{course}/members/{user}", s.changeMember)
			post(r, "/courses/{course}/sections", s.createSection)
			post(r, "/courses/{course}/sections/{section}", s.changeSection)
			get(r, "/courses/{course}/leaks", s.leaksPage)
			get(r, "/courses/{course}/roster", s.rosterPage)
			post(r, "/courses/{course}/roster", s.takeRoster)
			get(r, "/courses/{course}/assignments/new", s.newAssignmentPage)
			post(r, "/courses/{course}/assignments", s.createAssignment)
			get(r, "/courses/{course}/gradebook", s.gradebookPage)
			get(r, "/courses/{course}/gradebook.csv", s.gradebookFile)
			get(r, "/assignments/{assignment}", s.assignmentPage) // its course's members
			get(r, "/assignments/{assignment}/lab", s.assignmentLabPage)
			post(r, "/assignments/{assignment}/stop", s.stopAssignment)
			post(r, "/assignments/{assignment}/submissions", s.postHandIn)
			post(r, "/assignments/{assignment}/regrade", s.postRegrade)
			post(r, "/assignments/{assignment}/team", s.changeTeam)
			get(r, "/assignments/{assignment}/settings", s.settingsPage) // its course's teachers
			post(r, "/assignments/{assignment}/settings", s.saveAssignment)
			get(r, "/assignments/{assignment}/teams", s.teamsPage)
			post(r, "/assignments/{assignment}/teams", s.changeTeams)
			post(r, "/assignments/{assignment}/release", s.releaseGrades)
			get(r, "/assignments/{assignment}/grades/{user}", s.gradePage)
			post(r, "/assignments/{assignment}/grades/{user}", s.changeGrade)
			get(r, "/submissions/{submission}", s.submissionPage) // whose it is, and their teachers
			get(r, "/submissions/{submission}/evidence/{boot}/{check}/{n}", s.evidence)
			post(r, "/submissions/{submission}/reopen", s.postReopen)
			post(r, "/submissions/{submission}/regrade", s.postRegradeOne)
		})

		// Instructors and admins.
		r.Group(func(r chi.Router) {
			r.Use(s.onlyIf(teachers))
			get(r, "/labs", s.allLabs)
			post(r, "/labs", s.sendLab)
			get(r, "/labs/{lab}/versions", s.labVersions)
			get(r, "/labs/{lab}/versions/{digest}", s.labArchive)
			post(r, "/labs/{lab}/remove", s.removeLab)
			post(r, "/catalog/{lab}/use", s.useLab)
			post(r, "/catalog/{lab}/copy", s.copyLab)
			get(r, "/courses", s.coursesPage)
			post(r, "/courses", s.createCourse)
		})

		// Admins.
		r.Group(func(r chi.Router) {
			r.Use(s.onlyIf(admins))
			get(r, "/admin/users", s.usersPage)
			post(r, "/admin/users", s.createUser)
			post(r, "/admin/users/{user}", s.changeUser)
			get(r, "/admin/racks", s.racksPage)
			post(r, "/admin/racks/{rack}/stop", s.stopAnyRack)
		})

		r.Route("/api/v1", func(r chi.Router) { s.apiRoutes(r) })
	})
	return root, nil
}

// apiRoutes are described in openapi.yaml; a test holds the two together.
func (s *Server) apiRoutes(r chi.Router) {
	get := func(r chi.Router, pattern string, h handler) { r.Get(pattern, s.handle(h)) }
	post := func(r chi.Router, pattern string, h handler) { r.Post(pattern, s.handle(h)) }

	r.Group(func(r chi.Router) {
		r.Use(s.onlyIf(anybody))
		get(r, "/me", s.apiMe)
		get(r, "/tokens", s.apiTokens)
		r.With(s.onlyIf(people)).Post("/tokens", s.handle(s.apiCreateToken)) // a token that leaks cannot breed
		r.Delete("/tokens/{token}", s.handle(s.apiDeleteToken))
		get(r, "/catalog", s.apiCatalog)
		get(r, "/labs", s.apiLabs)
		get(r, "/labs/{lab}", s.apiLab)
		get(r, "/labs/{lab}/rack", s.apiLabRack)
		post(r, "/labs/{lab}/rack", s.apiStartRack)
		get(r, "/racks", s.apiRacks)
		get(r, "/racks/{rack}", s.apiRack)
		r.Delete("/racks/{rack}", s.handle(s.apiStopRack))
		post(r, "/racks/{rack}/do", s.apiDo)
		get(r, "/racks/{rack}/checks", s.apiRackChecks)
		post(r, "/racks/{rack}/nodes/{node}/exec", s.apiExec)
		get(r, "/courses", s.apiCourses)
		get(r, "/courses/{course}", s.apiCourse)
		r.Patch("/courses/{course}", s.handle(s.apiRenameCourse))
		r.Put("/courses/{course}/labs", s.handle(s.apiSetCourseLabs))
		r.Put("/courses/{course}/labs/{lab}", s.handle(s.apiAddCourseLab))
		post(r, "/courses/{course}/code", s.apiRenewJoinCode)
		get(r, "/courses/{course}/leaks", s.apiLeaks)
		get(r, "/courses/{course}/members", s.apiMembers)
		r.Put("/courses/{course}/members/{user}", s.handle(s.apiSetMember))
		r.Delete("/courses/{course}/members/{user}", s.handle(s.apiRemoveMember))
		post(r, "/courses/{course}/roster", s.apiRoster)
		get(r, "/courses/{course}/sections", s.apiSections)
		post(r, "/courses/{course}/sections", s.apiCreateSection)
		r.Patch("/courses/{course}/sections/{section}", s.handle(s.apiChangeSection))
		r.Delete("/courses/{course}/sections/{section}", s.handle(s.apiDeleteSection))
		get(r, "/courses/{course}/assignments", s.apiAssignments)
		post(r, "/courses/{course}/assignments", s.apiCreateAssignment)
		get(r, "/courses/{course}/grades", s.apiGrades)
		get(r, "/assignments/{assignment}", s.apiAssignment)
		r.Put("/assignments/{assignment}", s.handle(s.apiSetAssignment))
		r.Delete("/assignments/{assignment}", s.handle(s.apiDeleteAssignment))
		post(r, "/assignments/{assignment}/release", s.apiRelease)
		get(r, "/assignments/{assignment}/rack", s.apiAssignmentRack)
		post(r, "/assignments/{assignment}/rack", s.apiStartAssignmentRack)
		get(r, "/assignments/{assignment}/teams", s.apiTeams)
		post(r, "/assignments/{assignment}/teams", s.apiCreateTeam)
		r.Put("/assignments/{assignment}/students/{user}/team", s.handle(s.apiSetTeam))
		r.Put("/assignments/{assignment}/students/{user}/extension", s.handle(s.apiExtend))
		r.Delete("/assignments/{assignment}/students/{user}/extension", s.handle(s.apiUnextend))
		get(r, "/assignments/{assignment}/students/{user}/grade", s.apiGrade)
		r.Put("/assignments/{assignment}/students/{user}/adjustment", s.handle(s.apiAdjust))
		r.Delete("/assignments/{assignment}/students/{user}/adjustment", s.handle(s.apiUnadjust))
		get(r, "/assignments/{assignment}/submissions", s.apiSubmissions)
		post(r, "/assignments/{assignment}/submissions", s.apiHandIn)
		post(r, "/assignments/{assignment}/regrade", s.apiRegrade)
		get(r, "/submissions/{submission}", s.apiSubmission)
		post(r, "/submissions/{submission}/regrade", s.apiRegradeOne)
		post(r, "/submissions/{submission}/reopen", s.apiReopen)
		get(r, "/submissions/{submission}/report", s.apiReport)
		post(r, "/join", s.apiJoin)
	})
	r.Group(func(r chi.Router) {
		r.Use(s.onlyIf(teachers))
		post(r, "/courses", s.apiCreateCourse)
		post(r, "/labs", s.apiSendLab)
		post(r, "/labs/{lab}/copy", s.apiCopyLab)
		r.Delete("/labs/{lab}", s.handle(s.apiRemoveLab))
		get(r, "/labs/{lab}/versions", s.apiLabVersions)
		get(r, "/labs/{lab}/versions/{digest}", s.labArchive)
	})
	r.Group(func(r chi.Router) {
		r.Use(s.onlyIf(admins))
		get(r, "/users", s.apiUsers)
		post(r, "/users", s.apiCreateUser)
		get(r, "/users/{user}", s.apiUser)
		r.Patch("/users/{user}", s.handle(s.apiChangeUser))
		post(r, "/users/{user}/link", s.apiCreateLink)
	})
}
