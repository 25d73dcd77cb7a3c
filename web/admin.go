package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// linkValid is how long a one-time link can be used.
const linkValid = 7 * 24 * time.Hour

// invitation is a one-time link, shown once.
type invitation struct {
	Login, URL string
	Until      time.Time
}

// invite makes a one-time link for a user.
func (s *Server) invite(r *http.Request, u labs.User) (invitation, error) {
	l, secret, err := s.store.CreateLink(r.Context(), u.ID, linkValid)
	if err != nil {
		return invitation{}, err
	}
	return invitation{Login: u.Login, URL: s.publicURL(r) + "/link/" + secret, Until: l.ExpiresAt}, nil
}

type usersData struct {
	Users  []labs.User
	Form   labs.User // what was typed, when it was no good
	Invite *invitation
}

func (s *Server) usersPage(w http.ResponseWriter, r *http.Request) error {
	return s.renderUsers(w, r, http.StatusOK, "", usersData{})
}

func (s *Server) renderUsers(w http.ResponseWriter, r *http.Request, status int, message string, d usersData) error {
	var err error
	if d.Users, err = s.store.Users(r.Context()); err != nil {
		return err
	}
	if d.Form.Role == "" {
		d.Form.Role = labs.Student
	}
	return s.render(w, r, status, view{Page: "users", Title: "People", Error: message, Data: d})
}

func (s *Server) createUser(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	f := r.PostForm
	u := labs.User{Login: f.Get("login"), Name: f.Get("name"), Email: f.Get("email"), Role: labs.Role(f.Get("role"))}
	typed := u
	if err := s.store.CreateUser(r.Context(), &u, ""); err != nil {
		if c := labs.CodeOf(err); c == labs.Invalid || c == labs.Conflict {
			return s.renderUsers(w, r, statusOf(err), labs.MessageOf(err), usersData{Form: typed})
		}
		return err
	}
	inv, err := s.invite(r, u)
	if err != nil {
		return err
	}
	return s.renderUsers(w, r, http.StatusCreated, "", usersData{Invite: &inv})
}

// saveUser stores a changed user and ends what they have open when the change
// ended their sessions.
func (s *Server) saveUser(ctx context.Context, u *labs.User) error {
	before := u.Epoch
	if err := s.store.UpdateUser(ctx, u); err != nil {
		return err
	}
	if u.Epoch != before || u.Disabled {
		s.live.endUser(u.ID)
	}
	return nil
}

func (s *Server) changeUser(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "user")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	u, err := s.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	switch do := r.PostForm.Get("do"); do {
	case "role":
		u.Role = labs.Role(r.PostForm.Get("role"))
	case "disable", "enable":
		u.Disabled = do == "disable"
	case "link":
		inv, err := s.invite(r, u)
		if err != nil {
			return err
		}
		return s.renderUsers(w, r, http.StatusCreated, "", usersData{Invite: &inv})
	default:
		return labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if u.ID == actorOf(r.Context()).ID {
		return labs.Errorf(labs.Conflict, "This is your own account. Ask another administrator to change it.")
	}
	if err := s.saveUser(r.Context(), &u); err != nil {
		return err
	}
	s.flash(r.Context(), "The account of "+u.Login+" is changed.")
	return redirect(w, r, "/admin/users")
}

// rackRow is a rack in the admin's list.
type rackRow struct {
	ID, Owner, Lab string
	Nodes          int
	Up             int // nodes that run
	Started        time.Time
	Problem        string
	Known          bool // in the database: it can be watched
}

func (s *Server) racksPage(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.rackRows(r.Context())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "racks", Title: "Racks", Data: rows})
}

func (s *Server) rackRows(ctx context.Context) ([]rackRow, error) {
	ids, err := s.racks.Running(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]rackRow, len(ids))
	var asking errgroup.Group
	asking.SetLimit(maxAsking)
	for i, id := range ids {
		asking.Go(func() error {
			rows[i] = s.rackRow(ctx, id)
			return nil
		})
	}
	_ = asking.Wait() // a rack's trouble is in its row
	// Those without an ID have ended since.
	return slices.DeleteFunc(rows, func(r rackRow) bool { return r.ID == "" }), nil
}

// rackRow asks a rack how it is; of one that has ended the ID is empty.
func (s *Server) rackRow(ctx context.Context, id string) rackRow {
	row := rackRow{ID: id}
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	st, err := s.racks.State(asking, id)
	switch {
	case labs.CodeOf(err) == labs.NotFound:
		return rackRow{}
	case err != nil:
		row.Problem = "does not answer"
		s.log.Warn("asking a rack for its state", "rack", id, "err", err)
	default:
		row.Owner, row.Lab, row.Started, row.Nodes = st.Owner, st.Title, st.Started, len(st.Nodes)
		for _, n := range st.Nodes {
			if n.Status == rack.Running {
				row.Up++
			}
		}
	}
	_, err = s.store.Rack(ctx, id)
	row.Known = err == nil
	return row
}

func (s *Server) stopAnyRack(w http.ResponseWriter, r *http.Request) error {
	if err := s.endRack(r.Context(), chi.URLParam(r, "rack")); err != nil {
		return err
	}
	s.flash(r.Context(), "The rack is stopped. Its owner's work is kept.")
	return redirect(w, r, "/admin/racks")
}
