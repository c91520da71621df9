package org.procos.engine;

import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.camunda.bpm.engine.IdentityService;
import org.camunda.bpm.engine.ProcessEngineException;
import org.camunda.bpm.engine.authorization.Groups;
import org.camunda.bpm.engine.identity.Group;
import org.camunda.bpm.engine.identity.Tenant;
import org.camunda.bpm.engine.impl.identity.Authentication;

/**
 * HTTP Basic on the whole REST API. The three users of the settings are compared here: no query, and nobody can have the
 * kernel locked out by failing to log in as it. All others are the engine's. The worker is held to external tasks.
 */
final class RestLogin extends HttpFilter {
  /**
   * Method and path as Jersey will match it: the raw URI, so that no other spelling of a path gets by. POST on the two
   * queries is how they take long filters.
   */
  private static final Pattern WORKER_MAY = Pattern.compile("""
      (GET|POST|PUT)\\s/external-task(/.*)?
      |GET\\s/(process-definition|process-instance|history/(external-task-log|activity-instance))(/.*)?
      |POST\\s/(process-instance|variable-instance)(/count)?
      |GET\\s/variable-instance(/.*)?
      |(GET|POST|PUT)\\s/execution/[^/]+/localVariables(/.*)?
      |GET\\s/version
      """, Pattern.COMMENTS);

  private final Settings.Users users;
  private final transient IdentityService identity;
  private final ObjectMapper json = new ObjectMapper();

  RestLogin(Settings.Users users, IdentityService identity) {
    this.users = users;
    this.identity = identity;
  }

  @Override
  protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    Authentication who;
    try {
      who = login(request.getHeader("Authorization"));
    } catch (ProcessEngineException e) {
      refuse(response, 500, "ProcessEngineException", e.getMessage());
      return;
    }
    if (who == null) {
      response.setHeader("WWW-Authenticate", "Basic realm=\"engine\", charset=\"UTF-8\"");
      refuse(response, 401, "AuthenticationException", "Wrong or missing user and password");
    } else if (who.getUserId().equals(users.worker().id()) && !workerMay(request)) {
      refuse(response, 403, "AuthorizationException", "The worker's login is for external tasks only");
    } else {
      identity.setAuthentication(who);
      try {
        chain.doFilter(request, response);
      } finally {
        identity.clearAuthentication();
      }
    }
  }

  /** Who it is, or null. */
  private Authentication login(String header) {
    if (header == null || !header.regionMatches(true, 0, "Basic ", 0, 6)) {
      return null;
    }
    String[] given;
    try {
      given = new String(Base64.getDecoder().decode(header.substring(6).trim()), StandardCharsets.UTF_8).split(":", 2);
    } catch (IllegalArgumentException e) {
      return null;
    }
    if (given.length < 2) {
      return null;
    }
    for (Settings.User user : users.all()) {
      if (user.id().equals(given[0])) {
        List<String> groups = user == users.admin() ? List.of(Groups.CAMUNDA_ADMIN) : List.of();
        return same(user.password(), given[1]) ? new Authentication(given[0], groups, List.of()) : null;
      }
    }
    return identity.checkPassword(given[0], given[1]) ? other(given[0]) : null;
  }

  private Authentication other(String user) {
    return new Authentication(user,
        identity.createGroupQuery().groupMember(user).list().stream().map(Group::getId).toList(),
        identity.createTenantQuery().userMember(user).includingGroupsOfUser(true).list().stream().map(Tenant::getId).toList());
  }

  private static boolean workerMay(HttpServletRequest request) {
    String path = request.getRequestURI().substring("/engine-rest".length()).replaceFirst("^/engine/default(?=/)", "");
    return WORKER_MAY.matcher(request.getMethod() + " " + path).matches();
  }

  private static boolean same(String wanted, String given) {
    return MessageDigest.isEqual(wanted.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8));
  }

  private void refuse(HttpServletResponse response, int status, String type, String message) throws IOException {
    response.setStatus(status);
    response.setContentType("application/json");
    json.writeValue(response.getOutputStream(), Map.of("type", type, "message", message, "code", 0));
  }
}
