//! Projects, users, roles, application credentials.

use crate::world::World;
use model::access::Role;
use model::access_rule::{AccessRule, Text};
use model::{CredentialId, ProjectId, RoleId, Timestamp, UserId};
use store::Error;
use store::identity::{
    self, AssignmentFilter, CredentialRow, ProjectRow, RevokedRow, RoleRow, UserRow,
};

#[tokio::test]
async fn names_of_projects_and_users_are_unique_and_found_again() {
    let world = World::new().await;
    let project = ProjectRow::new(ProjectId::new(), "city");
    let user = user("ada");
    let (p, u) = (project.clone(), user.clone());
    let create = world.write(move |tx| {
        Box::pin(async move {
            identity::create_project(tx, &p).await?;
            identity::create_user(tx, &u).await
        })
    });
    create.await.unwrap();

    assert_eq!(identity::get_project_by_name(&world.store, "city").await.unwrap(), project);
    assert_eq!(identity::get_user(&world.store, &user.id).await.unwrap(), user);
    let again = ProjectRow { id: ProjectId::new(), ..project };
    let again =
        world.write(move |tx| Box::pin(async move { identity::create_project(tx, &again).await }));
    assert!(matches!(again.await, Err(Error::Duplicate { what: "project", field: "name" })));
    let again = UserRow { id: UserId::new(), ..user };
    let again =
        world.write(move |tx| Box::pin(async move { identity::create_user(tx, &again).await }));
    assert!(matches!(again.await, Err(Error::Duplicate { what: "user", field: "name" })));
    assert_eq!(identity::list_projects(&world.store).await.unwrap().len(), 1);
    assert_eq!(identity::list_users(&world.store).await.unwrap().len(), 1);
}

fn user(name: &str) -> UserRow {
    UserRow::new(UserId::new(), name, "$argon2")
}

#[tokio::test]
async fn a_changed_user_is_changed_and_an_unknown_one_is_not_found() {
    let world = World::new().await;
    let ada = user("ada");
    let changed = UserRow { enabled: false, password_hash: "$new".into(), ..ada.clone() };
    let row = changed.clone();
    let write = world.write(move |tx| {
        Box::pin(async move {
            identity::create_user(tx, &ada).await?;
            identity::update_user(tx, &row).await
        })
    });
    write.await.unwrap();
    assert_eq!(identity::get_user_by_name(&world.store, "ada").await.unwrap(), changed);
    let stranger = user("eve");
    let write =
        world.write(move |tx| Box::pin(async move { identity::update_user(tx, &stranger).await }));
    assert!(matches!(write.await, Err(Error::NotFound { what: "user" })));
}

#[tokio::test]
async fn roles_hold_in_their_project_only_and_can_be_taken_away() {
    let world = World::new().await;
    let (user, here, there) = (world.user.clone(), world.project.clone(), ProjectId::new());
    let (u, h) = (user.clone(), here.clone());
    let write = world.write(move |tx| {
        Box::pin(async move {
            identity::assign(tx, &u, &h, Role::UserIot).await?;
            identity::assign(tx, &u, &h, Role::UserIot).await?;
            identity::assign(tx, &u, &h, Role::Admin).await
        })
    });
    write.await.unwrap();
    assert_eq!(
        identity::roles_of(&world.store, &user, &here).await.unwrap(),
        [RoleRow::from(Role::Admin), Role::UserIot.into()]
    );
    assert_eq!(identity::roles_of(&world.store, &user, &there).await.unwrap(), []);
    let filter = AssignmentFilter { user: Some(&user), ..AssignmentFilter::default() };
    assert_eq!(identity::list_assignments(&world.store, filter).await.unwrap().len(), 2);

    let (u, h) = (user.clone(), here.clone());
    let take = world.write(move |tx| {
        Box::pin(async move { identity::unassign(tx, &u, &h, Role::Admin).await })
    });
    take.await.unwrap();
    assert_eq!(
        identity::roles_of(&world.store, &user, &here).await.unwrap(),
        [Role::UserIot.into()]
    );
}

#[tokio::test]
async fn an_application_credential_is_its_users_alone() {
    let world = World::new().await;
    let row = CredentialRow {
        id: CredentialId::new(),
        name: "robot".into(),
        user: world.user.clone(),
        project: world.project.clone(),
        secret_hash: "hash".into(),
        roles: vec![Role::UserIot.into()],
        expires_at: Some(world.in_an_hour()),
        created_at: world.now(),
        description: "reads".into(),
        unrestricted: false,
        access: Some(vec![rule()]),
    };
    let new = row.clone();
    let create =
        world.write(move |tx| Box::pin(async move { identity::create_credential(tx, &new).await }));
    create.await.unwrap();
    assert_eq!(identity::get_credential(&world.store, row.id).await.unwrap(), row);
    let (other, id) = (UserId::new(), row.id);
    assert_eq!(identity::list_credentials(&world.store, &world.user).await.unwrap(), [row]);

    let steal = world.write(move |tx| {
        Box::pin(async move { identity::delete_credential(tx, &other, id).await })
    });
    assert!(matches!(steal.await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_overlong_name_is_refused_before_it_is_stored() {
    let world = World::new().await;
    let project = ProjectRow::new(ProjectId::new(), "x".repeat(256));
    let create = world
        .write(move |tx| Box::pin(async move { identity::create_project(tx, &project).await }));
    assert!(matches!(create.await, Err(Error::Invalid(_))));
}

fn rule() -> AccessRule {
    let text = Text { method: "GET".into(), path: "/v2/**".into(), service: "iot".into() };
    text.try_into().unwrap()
}

#[tokio::test]
async fn a_made_role_is_given_by_its_id_shown_by_its_name_and_taken_from_all_with_its_end() {
    let world = World::new().await;
    let role = RoleRow { id: RoleId::new(), name: "member".into(), description: "x".into() };
    let (row, user, here) = (role.clone(), world.user.clone(), world.project.clone());
    let write = world.write(move |tx| {
        Box::pin(async move {
            identity::create_role(tx, &row).await?;
            identity::assign(tx, &user, &here, row.id).await
        })
    });
    write.await.unwrap();
    let roles = identity::roles_of(&world.store, &world.user, &world.project).await.unwrap();
    assert_eq!(roles.as_slice(), std::slice::from_ref(&role));
    assert_eq!(identity::list_roles(&world.store).await.unwrap().len(), 5);
    let taken = RoleRow { id: RoleId::new(), name: "admin".into(), ..role.clone() };
    let write =
        world.write(move |tx| Box::pin(async move { identity::create_role(tx, &taken).await }));
    assert!(matches!(write.await, Err(Error::Duplicate { what: "role", .. })));
    let write =
        world.write(move |tx| Box::pin(async move { identity::delete_role(tx, &role.id).await }));
    write.await.unwrap();
    let roles = identity::roles_of(&world.store, &world.user, &world.project).await.unwrap();
    assert_eq!(roles, []);
}

#[tokio::test]
async fn a_revoked_token_is_known_until_it_would_have_ended() {
    let world = World::new().await;
    let (now, later) = (world.now(), world.in_an_hour());
    let row = RevokedRow { audit: "a1".into(), until: later };
    let new = row.clone();
    let write = world.write(move |tx| {
        Box::pin(async move {
            identity::revoke_token(tx, &new).await?;
            identity::revoke_token(tx, &new).await
        })
    });
    write.await.unwrap();
    assert!(identity::is_revoked(&world.store, "a1").await.unwrap());
    assert!(!identity::is_revoked(&world.store, "a2").await.unwrap());
    assert_eq!(identity::list_revoked(&world.store, now, 10).await.unwrap(), [row]);
    assert_eq!(identity::list_revoked(&world.store, later, 10).await.unwrap(), []);
    let trim = async |now: Timestamp| {
        let write =
            world.write(move |tx| Box::pin(async move { identity::trim_revoked(tx, now).await }));
        write.await.unwrap()
    };
    assert_eq!((trim(now).await, trim(later).await), (0, 1));
}

#[tokio::test]
async fn who_is_deleted_leaves_no_role_and_no_credential_and_a_project_goes_when_it_is_empty() {
    let world = World::new().await;
    let (ada, city) = (user("ada"), ProjectRow::new(ProjectId::new(), "city"));
    let (id, project) = (ada.id.clone(), city.id.clone());
    let (u, p) = (ada.id.clone(), city.id.clone());
    let write = world.write(move |tx| {
        Box::pin(async move {
            identity::create_user(tx, &ada).await?;
            identity::create_project(tx, &city).await?;
            identity::assign(tx, &ada.id, &city.id, Role::UserIot).await?;
            identity::delete_user(tx, &u).await?;
            identity::delete_project(tx, &p).await
        })
    });
    write.await.unwrap();
    assert_eq!(identity::roles_of(&world.store, &id, &project).await.unwrap(), []);
    let gone = identity::get_project(&world.store, &project).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let again = world
        .write(move |tx| Box::pin(async move { identity::delete_project(tx, &project).await }));
    assert!(matches!(again.await, Err(Error::NotFound { what: "project" })));
}
