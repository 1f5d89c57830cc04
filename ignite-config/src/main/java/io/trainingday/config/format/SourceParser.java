package io.trainingday.config.format;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.xml.XmlFactory;
import com.fasterxml.jackson.dataformat.xml.deser.FromXmlParser;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SourceNode.Entry;
import io.trainingday.config.format.SourceNode.Scalar;
import io.trainingday.config.format.SourceNode.Section;
import io.trainingday.config.format.SourceNode.Sequence;
import io.trainingday.config.format.SourceNode.Style;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import javax.xml.stream.util.StreamReaderDelegate;
import org.jspecify.annotations.Nullable;

/** Text to tree. What one file could use to mean something else is refused: anchors, tags, DTDs. */
final class SourceParser {
  /** The element that holds all settings in XML. */
  static final String XML_ROOT = "training-day";

  private static final int MAX_DEPTH = 16;
  private static final YAMLFactory YAML = new YAMLFactory();
  private static final XmlFactory XML = new XmlFactory();

  private final JsonParser parser;

  private SourceParser(JsonParser parser) {
    this.parser = parser;
  }

  /** The text is no tree at all, or one that is refused as a whole. */
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient Problem problem;

    UnreadableException(Problem problem) {
      super(problem.toString());
      this.problem = problem;
    }

    Problem problem() {
      return problem;
    }
  }

  static SourceNode yaml(String text) throws UnreadableException {
    try (YAMLParser parser = YAML.createParser(text)) {
      if (parser.nextToken() == null) {
        throw empty();
      }
      SourceNode root = new SourceParser(parser).node(0);
      if (parser.nextToken() != null) {
        throw unreadable(parser, "a second document", "one document");
      }
      return root;
    } catch (IOException broken) {
      throw broken("YAML", text, broken);
    }
  }

  static SourceNode xml(String text) throws UnreadableException {
    if (text.isBlank()) {
      throw empty();
    }
    try {
      XMLStreamReader reader =
          new WithoutDoctype(
              XML.getXMLInputFactory().createXMLStreamReader(new StringReader(text)));
      try (FromXmlParser parser = XML.createParser(reader)) {
        String root = parser.getStaxReader().getLocalName();
        if (!root.equals(XML_ROOT)) {
          throw unreadable(parser, "<" + root + ">", "<" + XML_ROOT + "> as the outermost element");
        }
        if (parser.nextToken() == null) {
          throw empty();
        }
        SourceNode tree = new SourceParser(parser).node(0);
        // Reads on to the end, so that what follows the root is checked as well.
        if (parser.nextToken() != null) {
          throw unreadable(parser, parser.getText(), "nothing after </" + XML_ROOT + ">");
        }
        return tree;
      }
    } catch (IOException broken) {
      throw broken("XML", text, broken);
    } catch (XMLStreamException broken) {
      throw broken("XML", text, new IOException(broken.getMessage(), broken));
    }
  }

  private SourceNode node(int depth) throws IOException, UnreadableException {
    if (depth > MAX_DEPTH) {
      throw unreadable(parser, "level " + depth, "at most " + MAX_DEPTH + " levels");
    }
    if (parser instanceof YAMLParser yaml) {
      refuseReferences(yaml);
    }
    JsonToken token = parser.currentToken();
    return switch (token) {
      case START_OBJECT -> {
        List<Entry> entries = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          entries.add(new Entry(name, node(depth + 1)));
        }
        yield new Section(entries);
      }
      case START_ARRAY -> {
        List<SourceNode> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(node(depth + 1));
        }
        yield new Sequence(elements);
      }
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> new Scalar(parser.getText(), Style.NUMBER);
      case VALUE_TRUE, VALUE_FALSE -> new Scalar(parser.getText(), Style.BOOLEAN);
      case VALUE_NULL -> new Scalar("", Style.NULL);
      default -> new Scalar(parser.getText(), Style.TEXT);
    };
  }

  private static void refuseReferences(YAMLParser yaml) throws IOException, UnreadableException {
    String found =
        yaml.isCurrentAlias()
            ? "*" + yaml.getText()
            : yaml.getObjectId() != null
                ? "&" + yaml.getObjectId()
                : yaml.getTypeId() != null ? "!" + yaml.getTypeId() : "";
    if (!found.isEmpty()) {
      throw unreadable(yaml, found, "YAML without anchors, aliases and tags");
    }
  }

  private static UnreadableException empty() {
    return new UnreadableException(
        new Problem("file", "", "at least one setting", "leave it out to take the defaults"));
  }

  private static UnreadableException unreadable(JsonParser parser, String found, String allowed) {
    return new UnreadableException(
        new Problem(place(parser.currentTokenLocation()), found, allowed, ""));
  }

  private static UnreadableException broken(String format, String text, IOException broken) {
    JsonLocation location =
        broken instanceof JsonProcessingException processing
            ? processing.getLocation()
            : JsonLocation.NA;
    String message =
        broken instanceof JsonProcessingException processing
            ? processing.getOriginalMessage()
            : String.valueOf(broken.getMessage());
    // Both parsers put where they are, and what is there, on lines that begin with a space.
    String words =
        message.lines().filter(line -> !line.startsWith(" ")).collect(Collectors.joining(", "));
    return new UnreadableException(
        new Problem(place(location), line(text, location), format, words));
  }

  private static String line(String text, @Nullable JsonLocation location) {
    int number = location == null ? 1 : Math.max(1, location.getLineNr());
    return text.lines().skip(number - 1L).findFirst().orElse("").strip();
  }

  private static String place(@Nullable JsonLocation location) {
    return location == null || location.getLineNr() < 1
        ? "file"
        : "line " + location.getLineNr() + ", column " + location.getColumnNr();
  }

  /** A DOCTYPE can pull in files and blow up; no settings need one. */
  private static final class WithoutDoctype extends StreamReaderDelegate {
    WithoutDoctype(XMLStreamReader reader) {
      super(reader);
    }

    @Override
    public int next() throws XMLStreamException {
      int event = super.next();
      if (event == XMLStreamConstants.DTD) {
        throw new XMLStreamException("a DOCTYPE is refused");
      }
      return event;
    }
  }
}
