package org.procos.engine;

import static org.camunda.bpm.engine.authorization.Authorization.ANY;
import static org.camunda.bpm.engine.authorization.Authorization.AUTH_TYPE_GRANT;
import static org.camunda.bpm.engine.authorization.Groups.CAMUNDA_ADMIN;

import java.util.EnumMap;
import java.util.Map;
import org.camunda.bpm.engine.AuthorizationService;
import org.camunda.bpm.engine.IdentityService;
import org.camunda.bpm.engine.ProcessEngine;
import org.camunda.bpm.engine.authorization.Authorization;
import org.camunda.bpm.engine.authorization.Groups;
import org.camunda.bpm.engine.authorization.Permission;
import org.camunda.bpm.engine.authorization.Permissions;
import org.camunda.bpm.engine.authorization.ProcessDefinitionPermissions;
import org.camunda.bpm.engine.authorization.Resources;
import org.camunda.bpm.engine.authorization.UserOperationLogCategoryPermissions;
import org.camunda.bpm.engine.identity.Group;
import org.camunda.bpm.engine.identity.User;

/** Creates the three users with what they may do, or brings them in step with the settings. Idempotent. */
final class SystemUsers {
  private static final Permission[] EVERYTHING = {Permissions.ALL};
  private static final Map<Resources, Permission[]> ADMIN = new EnumMap<>(Resources.class);
  private static final Map<Resources, Permission[]> KERNEL = new EnumMap<>(Resources.class);
  private static final Map<Resources, Permission[]> WORKER = new EnumMap<>(Resources.class);

  static {
    for (Resources resource : Resources.values()) {
      ADMIN.put(resource, EVERYTHING);
      switch (resource) {
        case DEPLOYMENT, PROCESS_DEFINITION, PROCESS_INSTANCE, DECISION_DEFINITION, DECISION_REQUIREMENTS_DEFINITION,
            TASK, BATCH, HISTORIC_TASK, HISTORIC_PROCESS_INSTANCE -> KERNEL.put(resource, EVERYTHING);
        default -> { }
      }
    }
    // Who deployed what, be it gone by now: the kernel looks for models that came around the gate.
    KERNEL.put(Resources.OPERATION_LOG_CATEGORY, new Permission[] {UserOperationLogCategoryPermissions.READ});
    // What fetching and reporting external tasks asks for (AuthorizationManager.configureExternalTaskFetch and
    // HandleExternalTaskCmd); RestLogin narrows it further, as updating instances covers more than external tasks.
    WORKER.put(Resources.PROCESS_DEFINITION, new Permission[] {
        ProcessDefinitionPermissions.READ, ProcessDefinitionPermissions.READ_INSTANCE,
        ProcessDefinitionPermissions.UPDATE_INSTANCE, ProcessDefinitionPermissions.READ_HISTORY});
  }

  private final IdentityService identity;
  private final AuthorizationService authorizations;
  private final Settings.Users users;

  SystemUsers(ProcessEngine engine, Settings.Users users) {
    this.identity = engine.getIdentityService();
    this.authorizations = engine.getAuthorizationService();
    this.users = users;
  }

  void ensure() {
    users.all().forEach(this::ensureLogin);
    ensureAdminGroup();
    ADMIN.forEach((resource, permissions) -> ensureGrant(null, CAMUNDA_ADMIN, resource, permissions));
    KERNEL.forEach((resource, permissions) -> ensureGrant(users.kernel().id(), null, resource, permissions));
    WORKER.forEach((resource, permissions) -> ensureGrant(users.worker().id(), null, resource, permissions));
  }

  private void ensureLogin(Settings.User wanted) {
    if (find(wanted) != null) {
      identity.unlockUser(wanted.id());
      if (identity.checkPassword(wanted.id(), wanted.password())) {
        return;
      }
      // The failed check has counted as a failed login.
      identity.unlockUser(wanted.id());
    }
    User user = find(wanted);
    if (user == null) {
      user = identity.newUser(wanted.id());
      user.setFirstName("ProcOS");
      user.setLastName(wanted.id());
    }
    user.setPassword(wanted.password());
    identity.saveUser(user);
  }

  private User find(Settings.User wanted) {
    return identity.createUserQuery().userId(wanted.id()).singleResult();
  }

  private void ensureAdminGroup() {
    if (identity.createGroupQuery().groupId(CAMUNDA_ADMIN).count() == 0) {
      Group group = identity.newGroup(CAMUNDA_ADMIN);
      group.setName("Administrators");
      group.setType(Groups.GROUP_TYPE_SYSTEM);
      identity.saveGroup(group);
    }
    if (identity.createUserQuery().userId(users.admin().id()).memberOfGroup(CAMUNDA_ADMIN).count() == 0) {
      identity.createMembership(users.admin().id(), CAMUNDA_ADMIN);
    }
  }

  private void ensureGrant(String user, String group, Resources resource, Permission[] permissions) {
    var query = authorizations.createAuthorizationQuery()
        .authorizationType(AUTH_TYPE_GRANT).resourceType(resource).resourceId(ANY);
    Authorization grant = (user == null ? query.groupIdIn(group) : query.userIdIn(user)).singleResult();
    if (grant == null) {
      grant = authorizations.createNewAuthorization(AUTH_TYPE_GRANT);
      grant.setUserId(user);
      grant.setGroupId(group);
      grant.setResource(resource);
      grant.setResourceId(ANY);
    }
    grant.setPermissions(permissions);
    authorizations.saveAuthorization(grant);
  }
}
