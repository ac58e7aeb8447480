//! Projects, users, roles, application credentials.

use crate::world::World;
use model::access::Role;
use model::{CredentialId, ProjectId, UserId};
use store::Error;
use store::identity::{self, CredentialRow, ProjectRow, UserRow};

#[tokio::test]
async fn names_of_projects_and_users_are_unique_and_found_again() {
    let world = World::new().await;
    let project = ProjectRow {
        id: ProjectId::new(),
        name: "city".into(),
        enabled: true,
        allow_legacy: false,
    };
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
    UserRow { id: UserId::new(), name: name.into(), password_hash: "$argon2".into(), enabled: true }
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
        [Role::Admin, Role::UserIot]
    );
    assert_eq!(identity::roles_of(&world.store, &user, &there).await.unwrap(), []);
    assert_eq!(identity::list_assignments(&world.store, Some(&user)).await.unwrap().len(), 2);

    let (u, h) = (user.clone(), here.clone());
    let take = world.write(move |tx| {
        Box::pin(async move { identity::unassign(tx, &u, &h, Role::Admin).await })
    });
    take.await.unwrap();
    assert_eq!(identity::roles_of(&world.store, &user, &here).await.unwrap(), [Role::UserIot]);
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
        roles: vec![Role::UserIot],
        expires_at: Some(world.in_an_hour()),
        created_at: world.now(),
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
    let project = ProjectRow {
        id: ProjectId::new(),
        name: "x".repeat(256),
        enabled: true,
        allow_legacy: false,
    };
    let create = world
        .write(move |tx| Box::pin(async move { identity::create_project(tx, &project).await }));
    assert!(matches!(create.await, Err(Error::Invalid(_))));
}
