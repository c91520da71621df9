package org.procos.tests;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** What code of models has done since it was last asked: a GET gives it, a line each, and forgets it. */
public final class Witness extends HttpServlet {
  private static final long serialVersionUID = 1L;
  private static final List<String> SEEN = new ArrayList<>();

  /** Notes that code has run. */
  public static synchronized void saw(String what) {
    SEEN.add(what);
  }

  private static synchronized String told() {
    String told = String.join("\n", SEEN);
    SEEN.clear();
    return told;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
    response.setContentType("text/plain");
    response.getWriter().print(told());
  }
}
