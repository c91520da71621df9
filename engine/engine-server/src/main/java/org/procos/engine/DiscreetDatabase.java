package org.procos.engine;

import java.sql.SQLException;
import org.apache.ibatis.exceptions.PersistenceException;
import org.camunda.bpm.engine.ProcessEngineException;
import org.camunda.bpm.engine.impl.context.Context;
import org.camunda.bpm.engine.impl.interceptor.Command;
import org.camunda.bpm.engine.impl.interceptor.CommandInterceptor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.transaction.TransactionException;

/**
 * Everything that the engine does is a command, so this outermost interceptor is the one place through which every error
 * of the database goes, for requests, long polls and logins alike. The cause goes to the log; callers get the code only,
 * because the message would tell host, user and SQL. The engine's exceptions without a database cause, such as a lost
 * optimistic lock, pass untouched.
 */
final class DiscreetDatabase extends CommandInterceptor {
  private static final Logger LOG = LoggerFactory.getLogger("org.procos.engine.database");

  @Override
  public <T> T execute(Command<T> command) {
    if (Context.getCommandContext() != null) {
      return next.execute(command);
    }
    try {
      return next.execute(command);
    } catch (RuntimeException e) {
      if (!isAboutDatabase(e)) {
        throw e;
      }
      ProcessEngineException discreet =
          new ProcessEngineException("The database did not carry this out; the engine's log has the cause");
      if (e instanceof ProcessEngineException known) {
        discreet.setCode(known.getCode());
      }
      LOG.error("{}: {}", command.getClass().getSimpleName(), rootMessage(e));
      LOG.debug("{}", command.getClass().getSimpleName(), e);
      throw discreet;
    }
  }

  private static boolean isAboutDatabase(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException || cause instanceof PersistenceException || cause instanceof TransactionException) {
        return true;
      }
    }
    return false;
  }

  private static String rootMessage(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getClass().getName() + ": " + root.getMessage();
  }
}
