package io.trainingday.grid;

import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.springframework.beans.BeansException;
import org.springframework.beans.PropertyValue;
import org.springframework.beans.factory.xml.DefaultDocumentLoader;
import org.springframework.beans.factory.xml.DelegatingEntityResolver;
import org.springframework.beans.factory.xml.XmlBeanDefinitionReader;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.core.io.FileSystemResource;
import org.xml.sax.EntityResolver;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/**
 * What the translation starts from: an empty configuration, or the one of a user's own Spring XML.
 *
 * @param ignite the configuration, ours to change
 * @param given the properties its author set, in Ignite's names
 * @param close ends what the configuration's beans live in
 */
record BaseConfiguration(IgniteConfiguration ignite, Set<String> given, Runnable close) {
  private static final String ALLOWED =
      "a Spring XML file with one bean of class " + IgniteConfiguration.class.getName();

  static BaseConfiguration empty() {
    return new BaseConfiguration(new IgniteConfiguration(), Set.of(), () -> {});
  }

  /** Loads a user's Spring XML. The file may name any class: it is as trusted as the class path. */
  static BaseConfiguration load(Path xml) {
    if (!Files.isRegularFile(xml) || !Files.isReadable(xml)) {
      throw refusal(xml, "no such file can be read");
    }
    GenericApplicationContext context = new GenericApplicationContext();
    try {
      XmlBeanDefinitionReader reader = new XmlBeanDefinitionReader(context);
      reader.setDocumentLoader(new DocumentLoader());
      reader.setEntityResolver(new LocalEntityResolver());
      reader.loadBeanDefinitions(new FileSystemResource(xml));
      context.refresh();
      String[] names = context.getBeanNamesForType(IgniteConfiguration.class);
      if (names.length != 1) {
        throw refusal(
            xml,
            names.length == 0
                ? "it has none"
                : "it has " + names.length + ": " + String.join(", ", names));
      }
      IgniteConfiguration ignite = context.getBean(names[0], IgniteConfiguration.class);
      if (Boolean.TRUE.equals(ignite.isClientMode())) {
        throw refusal(xml, "clientMode is true there, but a cache node keeps data: remove it");
      }
      Set<String> given =
          Arrays.stream(
                  context
                      .getBeanFactory()
                      .getMergedBeanDefinition(names[0])
                      .getPropertyValues()
                      .getPropertyValues())
              .map(PropertyValue::getName)
              .collect(Collectors.toUnmodifiableSet());
      return new BaseConfiguration(new IgniteConfiguration(ignite), given, context::close);
    } catch (BeansException | LinkageError broken) {
      context.close();
      throw refusal(xml, "it cannot be loaded: " + rootMessage(broken));
    } catch (SettingsException refused) {
      context.close();
      throw refused;
    }
  }

  private static String rootMessage(Throwable error) {
    return NestedExceptionUtils.getMostSpecificCause(error).toString();
  }

  private static SettingsException refusal(Path xml, String hint) {
    return new SettingsException(
        "settings",
        List.of(new Problem(SettingKey.GRID_IGNITE_XML.name(), xml.toString(), ALLOWED, hint)));
  }

  /** Refuses a DOCTYPE, and with it every entity. */
  private static final class DocumentLoader extends DefaultDocumentLoader {
    @Override
    protected DocumentBuilderFactory createDocumentBuilderFactory(
        int validationMode, boolean namespaceAware) throws ParserConfigurationException {
      DocumentBuilderFactory factory =
          super.createDocumentBuilderFactory(validationMode, namespaceAware);
      factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
      return factory;
    }
  }

  /** Finds schemas on the class path and nowhere else: the parser itself would ask the network. */
  private static final class LocalEntityResolver implements EntityResolver {
    private final EntityResolver spring =
        new DelegatingEntityResolver(LocalEntityResolver.class.getClassLoader());

    @Override
    public InputSource resolveEntity(String publicId, String systemId)
        throws SAXException, IOException {
      InputSource found = spring.resolveEntity(publicId, systemId);
      if (found == null) {
        throw new SAXException(systemId + " is not on the class path, and is not fetched");
      }
      return found;
    }
  }
}
