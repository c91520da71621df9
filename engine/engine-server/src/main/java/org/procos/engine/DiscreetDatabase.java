package org.procos.engine;

import java.sql.SQLException;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.ibatis.exceptions.PersistenceException;
import org.camunda.bpm.engine.ProcessEngineException;
import org.camunda.bpm.engine.impl.context.Context;
import org.camunda.bpm.engine.impl.interceptor.Command;
import org.camunda.bpm.engine.impl.interceptor.CommandInterceptor;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVStoreException;
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
  /** After one of these (a full disk, say) H2 answers nothing until its process is a new one, whatever has been mended. */
  private static final Set<Integer> FATAL_FOR_H2 = Set.of(DataUtils.ERROR_READING_FAILED, DataUtils.ERROR_WRITING_FAILED,
      DataUtils.ERROR_CLOSED, DataUtils.ERROR_FILE_CORRUPT);

  private final Lifeline lifeline;

  DiscreetDatabase(Lifeline lifeline) {
    this.lifeline = lifeline;
  }

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
      if (causes(e).anyMatch(cause -> cause instanceof MVStoreException h2 && FATAL_FOR_H2.contains(h2.getErrorCode()))) {
        LOG.error("H2 cannot go on with its file and does not recover by itself: stopping");
        lifeline.giveUp();
      }
      throw discreet;
    }
  }

  private static boolean isAboutDatabase(Throwable e) {
    return causes(e).anyMatch(cause ->
        cause instanceof SQLException || cause instanceof PersistenceException || cause instanceof TransactionException);
  }

  private static String rootMessage(Throwable e) {
    Throwable root = causes(e).reduce((first, second) -> second).orElse(e);
    return root.getClass().getName() + ": " + root.getMessage();
  }

  private static Stream<Throwable> causes(Throwable e) {
    return Stream.iterate(e, Objects::nonNull, Throwable::getCause);
  }
}
